"""Results of a comparison as dataclasses, its findings in sentences, and the JSON files that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from hqgan.experiments.splits import DataInfo
from hqgan.experiments.statistics import Estimate, no_verdict, relation
from hqgan.metrics.record import MetricRow, from_json, rows_from_json
from hqgan.wording import plural


@dataclass(frozen=True)
class CurvePoint:
    """A run while it was trained.

    Attributes:
        images: real images shown so far, repeats counted.
        seconds: of training so far.
        distances: normalised kernel distance on the validation part, by extractor.
    """

    images: int
    seconds: float
    distances: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained generator, and what its training took.

    Attributes:
        name: of the contestant.
        preset: of its config.
        parameters: of the generator.
        quantum_parameters: of its circuits.
        critic_parameters: of the critic.
        images: real images shown in training, repeats counted.
        epochs: the same in passes over the training part.
        seconds: of training.
        images_per_second: median rate of training.
        private: whether it was trained with differential privacy.
    """

    name: str
    preset: str
    parameters: int
    quantum_parameters: int
    critic_parameters: int
    images: int
    epochs: float
    seconds: float
    images_per_second: float
    private: bool = False

    @property
    def trained(self) -> dict[str, Any]:
        """The fields of `Trained` alone."""
        return {field.name: getattr(self, field.name) for field in fields(Trained)}


@dataclass(frozen=True, kw_only=True)
class RunResult(Trained):
    """What was measured of one run on the test part of its split.

    Attributes:
        seed: of the run.
        checkpoint_sha256: of the averaged weights.
        threads: of torch in training; None if not known.
        n: images compared.
        test_part: hash of the test part, see `hqgan.experiments.splits.parts_hash`.
        distances: normalised kernel distance by extractor, without those that cannot be normalised.
        halves: the same on each of many random halves of the test lesions.
        curve: points during training; empty for circuits on another backend, since the run was trained without it.
        rows: every metric.
    """

    seed: int
    checkpoint_sha256: str
    threads: int | None
    n: int
    test_part: str
    distances: dict[str, float]
    halves: dict[str, list[float]]
    curve: list[CurvePoint]
    rows: list[MetricRow]


@dataclass(frozen=True)
class MeanMetric(MetricRow):
    """A metric averaged over the `seeds` that have it; its ``n`` is the smallest."""

    seeds: int = 1


@dataclass(frozen=True)
class TimeTo:
    """The training that it takes until the distance on the validation part is first at most `distance`.

    Attributes:
        distance: the target.
        seconds: median over all runs; None unless more than half of them reached the target.
        images: median of the real images shown until then; None likewise.
        reached: runs that reached it.
        runs: runs in all.
    """

    distance: float
    seconds: float | None
    images: float | None
    reached: int
    runs: int


@dataclass(frozen=True)
class MeanPoint:
    """A point of a training curve: means over seeds of images shown, seconds of training and normalised distance."""

    images: float
    seconds: float
    distance: float


@dataclass(frozen=True, kw_only=True)
class BoardRow(Trained):
    """One contestant over its seeds: epochs are the mean, seconds and rate the median; private if any run was.

    Attributes:
        threads: numbers of threads that were used.
        distance: mean normalised kernel distance to test images.
        by_seed: the same by seed; None where no distance can be normalised.
        seconds_to: training until a distance is reached.
        metrics: every metric over all classes.
        checkpoints: hash of the averaged weights by seed.
    """

    threads: list[int]
    distance: Estimate
    by_seed: dict[str, float | None]
    seconds_to: list[TimeTo]
    metrics: list[MeanMetric]
    checkpoints: dict[str, str]


@dataclass(frozen=True)
class Pair:
    """Two contestants compared seed by seed.

    Attributes:
        name: the first.
        against: the second.
        mean: difference of their distances, first minus second.
        low: lower limit of its 95 % interval.
        high: upper limit.
        p_value: two-sided, by paired hierarchical bootstrap.
        wilcoxon: exact p-value of Wilcoxon's signed-rank test over seeds; None for fewer than two seeds.
        nearer: seeds in which the first is nearer to real images.
        seeds: in all.
        p_corrected: `p_value`, corrected by Holm's method for the number of pairs.
    """

    name: str
    against: str
    mean: float
    low: float
    high: float
    p_value: float
    wilcoxon: float | None
    nearer: int
    seeds: int
    p_corrected: float


@dataclass(frozen=True)
class DataResult(DataInfo):
    """A comparison's result on one data set.

    Attributes:
        folder: name of its folders in the comparison's.
        path: of the data.
        published_split: whether the publisher's split is used.
        size: side of the images in pixels.
        seeds: number of seeds.
        n: images compared.
        extractors: those that the distance is the mean of.
        curve_extractors: those of the distance on the validation part.
        leaderboard: the nearest to real images first.
        pairs: the first contestant against each other one.
        curves: by contestant.
    """

    folder: str
    path: str
    published_split: bool
    size: int
    seeds: int
    n: int
    extractors: list[str]
    curve_extractors: list[str]
    leaderboard: list[BoardRow]
    pairs: list[Pair]
    curves: dict[str, list[MeanPoint]]

    @property
    def private(self) -> bool:
        """Whether a run was trained with differential privacy."""
        return any(row.private for row in self.leaderboard)

    @property
    def sentences(self) -> list[str]:
        """What a careful reader may conclude from the numbers."""
        out, so_far = no_verdict(len(self.leaderboard[0].by_seed))
        known = [row for row in self.leaderboard if row.distance.mean is not None]
        if known:
            out.append(
                f"{so_far}{known[0].name} has the lowest mean distance to held-out real images among "
                f"{plural(len(known), 'contestant')}: {known[0].distance.text('.2f')}. On this scale 0 is real vs. real and 1 is "
                "the PCA-Gaussian baseline."
            )
        for pair in self.pairs:
            near, far = (f"is significantly {side} real images than" for side in ("nearer to", "farther from"))
            out.append(
                f"{so_far}{pair.name} {relation(pair.mean, pair.p_corrected, near, far)} {pair.against}: the difference is "
                f"{Estimate(pair.mean, pair.low, pair.high).text('+.3f')}, nearer in {pair.nearer} of "
                f"{plural(pair.seeds, 'seed')}, p = {pair.p_corrected:.2g} after correction."
            )
        if lost := [row.name for row in self.leaderboard if row.distance.mean is None]:
            out.append(
                f"No distance could be normalised for {', '.join(lost)}: there are too few real images, or the PCA-Gaussian "
                "baseline is no farther away than real vs. real."
            )
        return out


@dataclass(frozen=True)
class CompareResult:
    """What ``compare.json`` holds: the settings as JSON values, with the ``lengths`` of the runs, and the result by data set."""

    settings: dict[str, Any]
    data: list[DataResult]


def as_json(result: CompareResult) -> dict[str, Any]:
    """The result as JSON values, with its sentences."""
    values = asdict(result)
    for out, one in zip(values["data"], result.data, strict=True):
        out["sentences"] = one.sentences
        for row, own in zip(out["leaderboard"], one.leaderboard, strict=True):
            row["metrics"] = [metric.as_json() for metric in own.metrics]
    return values


def result_from_json(values: Mapping[str, Any]) -> CompareResult:
    """A result from what `as_json` wrote; older files call extractors views.

    Raises:
        ValueError: it is not a comparison's result.
    """
    from pydantic import TypeAdapter

    names = {"views": "extractors", "curve_views": "curve_extractors"}
    data = [{names.get(name, name): value for name, value in one.items()} for one in values["data"]]
    for one in data:
        one["leaderboard"] = [{**r, "metrics": [_mean_metric(m) for m in r["metrics"]]} for r in one["leaderboard"]]
    return TypeAdapter(CompareResult).validate_python({**values, "data": data})


def run_as_json(result: RunResult) -> dict[str, Any]:
    """What was measured of a run as JSON values."""
    return {**asdict(result), "rows": [row.as_json() for row in result.rows]}


def run_from_json(values: Mapping[str, Any]) -> RunResult:
    """What was measured of a run, from what `run_as_json` wrote, now or in the older format of rows.

    Raises:
        ValueError: it is something else.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(RunResult).validate_python({**values, "rows": rows_from_json(values["rows"])})


def _mean_metric(values: Mapping[str, Any]) -> MeanMetric:
    return MeanMetric(**vars(from_json(values)), seeds=values["seeds"])
