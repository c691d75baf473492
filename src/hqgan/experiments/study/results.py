"""A study's result as dataclasses, its findings in sentences, and its JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hqgan.experiments.splits import DataInfo
from hqgan.experiments.statistics import LEVEL, Estimate, no_verdict, relation
from hqgan.experiments.study.arms import Arm
from hqgan.experiments.study.uses import current_name
from hqgan.wording import listed, plural


@dataclass(frozen=True)
class StudyData(DataInfo):
    """The data of a study; `balance` is the mean class size, to which ratio 1 fills the rare classes."""

    balance: int


@dataclass(frozen=True)
class SourceRow:
    """One source of generated images over all seeds.

    Attributes:
        name: of the source.
        parameters: of its generator; None if not known.
        epochs: passes over the training part; None if not known.
        images_shown: real images shown in training, repeats counted; None if not known.
        verified: whether it is known, for every seed, to have seen the training part only.
        private: whether any of its generators was trained with differential privacy.
        sha256: hash of what made the images, by seed and fraction.
    """

    name: str
    parameters: int | None
    epochs: float | None
    images_shown: int | None
    verified: bool
    sha256: dict[str, str]
    private: bool = False


@dataclass(frozen=True)
class Family:
    """The arms of one classifier at one fraction of the training part, which are compared with each other.

    Attributes:
        classifier: name.
        fraction: share of the training part.
        steps: of each of its classifiers.
        name: of the best classical arm, by its mean.
    """

    classifier: str
    fraction: float
    steps: int
    name: str

    @property
    def part(self) -> str:
        """Its fraction for titles; empty for the whole training part."""
        return "" if self.fraction == 1 else f", {self.fraction:.0%} of the training part"


@dataclass(frozen=True)
class ArmRow:
    """One arm over all seeds. p-values are two-sided and corrected by Holm's method for the number of arms of the family.

    Attributes:
        classifier: of its family.
        fraction: of its family.
        name: of the arm.
        text: one line on what the classifier is shown.
        use: of generated images, or the classical arm.
        generator: source of generated images; None for a classical arm.
        ratio: of generated images; None for a classical arm.
        seeds: in order.
        balanced_accuracy: by seed.
        mean: of the balanced accuracy.
        low: lower limit of its 95 % interval, by paired hierarchical bootstrap over seeds and lesions.
        high: upper limit.
        accuracy: mean.
        auroc: mean.
        calibration_error: mean.
        recall: by class.
        f1: by class; None for a class without test images.
        generated: mean number of generated images that it drew on, by class.
        p_value_against_real_only: of the difference from the arm ``real``; None for that arm itself.
        difference_from_real_only: in balanced accuracy.
        p_value_against_best_classical: of the difference from the best classical arm; None for that arm itself.
        difference_from_best_classical: in balanced accuracy.
    """

    classifier: str
    fraction: float
    name: str
    text: str
    use: str
    generator: str | None
    ratio: float | None
    seeds: list[int]
    balanced_accuracy: list[float]
    mean: float
    low: float
    high: float
    accuracy: float
    auroc: float
    calibration_error: float
    recall: dict[str, Estimate]
    f1: dict[str, float | None]
    generated: dict[str, float]
    p_value_against_real_only: float | None
    difference_from_real_only: Estimate
    p_value_against_best_classical: float | None
    difference_from_best_classical: Estimate


@dataclass(frozen=True)
class SourcePair:
    """Two sources compared over the arms that both have; p-values are corrected by Holm's method for the number of pairs.

    Attributes:
        classifier: of the family.
        fraction: of the family.
        generator: the first source.
        against: the second.
        uses: number of arms that both have.
        mean: difference of balanced accuracy, first minus second.
        low: lower limit of its 95 % interval.
        high: upper limit.
        p_value: two-sided, corrected.
    """

    classifier: str
    fraction: float
    generator: str
    against: str
    uses: int
    mean: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class StudyResult:
    """What ``study.json`` holds.

    Attributes:
        settings: of the study, as JSON values.
        data: what it was done on.
        rare: classes that were filled.
        generators: sources of generated images.
        best_classical: one row a family, with the arm that the others are compared with.
        arms: one row an arm and family.
        pairs: sources against each other.
    """

    settings: dict[str, Any]
    data: StudyData
    rare: list[str]
    generators: list[SourceRow]
    best_classical: list[Family]
    arms: list[ArmRow]
    pairs: list[SourcePair]

    def arms_of(self, family: Family) -> list[ArmRow]:
        """The arms of a family, in order."""
        return [r for r in self.arms if (r.classifier, r.fraction) == (family.classifier, family.fraction)]

    @property
    def private(self) -> bool:
        """Whether a source was trained with differential privacy."""
        return any(source.private for source in self.generators)

    @property
    def sentences(self) -> list[str]:
        """What a careful reader may conclude from the numbers."""
        out: list[str] = []
        for family in self.best_classical:
            pairs = [p for p in self.pairs if (p.classifier, p.fraction) == (family.classifier, family.fraction)]
            many = len(self.best_classical) > 1
            prefix = f"{family.classifier}, {family.fraction:.0%} of the training part: " if many else ""
            out += [prefix + text for text in _sentences(self.arms_of(family), family.name, pairs)]
        return out


def _sentences(rows: list[ArmRow], best_name: str, pairs: list[SourcePair]) -> list[str]:
    best = next(r for r in rows if r.name == best_name)
    out, so_far = no_verdict(len(best.seeds))
    made = [row for row in rows if row.generator]
    if made:
        found = [r for r in made if (p := r.p_value_against_best_classical) is not None and p < LEVEL]
        better, worse = (_are(sum(sign * (r.mean - best.mean) > 0 for r in found)) for sign in (1, -1))
        top = max(made, key=lambda r: r.mean)
        out.append(
            f"{so_far}{'of' if so_far else 'Of'} the {len(made)} arms with generated images, {better} significantly better than "
            f"the best classical arm ({best.name}, balanced accuracy {best.mean:.3f}), and {worse} significantly worse (p < "
            f"{LEVEL} after correction). The highest is {top.name} with {top.mean:.3f}, a difference of "
            f"{top.difference_from_best_classical.text('+.3f')}, p = {top.p_value_against_best_classical:.2g}. The best "
            "classical arm was chosen on the same test images, which favours it."
        )
    helped = [r.name for r in rows if r.generator is None and (p := r.p_value_against_real_only) is not None and p < LEVEL
              and r.mean > next(r.mean for r in rows if r.use == "real")]  # fmt: skip
    if helped:
        verb = "is" if len(helped) == 1 else "are"
        out.append(
            f"{so_far}{listed(helped)}, without generated images, {verb} significantly better than real images alone."
        )
    for pair in pairs:
        verb = relation(pair.mean, pair.p_value, "is significantly worse than", "is significantly better than")
        difference = Estimate(pair.mean, pair.low, pair.high).text("+.3f")
        out.append(
            f"{so_far}{pair.generator} {verb} {pair.against} over the {plural(pair.uses, 'use')} that both have: {difference}, "
            f"p = {pair.p_value:.2g}."
        )
    return out


def _are(n: int) -> str:
    return f"{n or 'none'} {'is' if n < 2 else 'are'}"


def as_json(result: StudyResult) -> dict[str, Any]:
    """The result as JSON values, with its sentences."""
    return {**asdict(result), "sentences": result.sentences}


def from_json(values: Mapping[str, Any]) -> StudyResult:
    """A result from what `as_json` wrote; former names of uses of generated images become those of today.

    Raises:
        ValueError: it is not a study's result.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(StudyResult).validate_python({**values, "arms": [_current(row) for row in values["arms"]]})


def _current(row: Mapping[str, Any]) -> dict[str, Any]:
    use = current_name(row["use"])
    if use == row["use"]:
        return dict(row)
    arm = Arm(use, row["generator"], row["ratio"])
    return {**row, "use": use, "name": arm.name, "text": arm.text}
