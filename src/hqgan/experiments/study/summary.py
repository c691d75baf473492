"""From the predictions of a study's classifiers to its result, by a paired hierarchical bootstrap over seeds and lesions.

A draw takes seeds with replacement, and lesions of the data set with replacement, class by class so that every class stays: a
lesion drawn twice counts twice in the test part of every seed that tests it, since seeds split the same lesions differently.
All arms see the same draw, so that differences between arms are paired. S seeds drawn with replacement spread as if there
were one fewer, so draws are spread about their mean by sqrt(S / (S - 1)). From one seed nothing can be said of others: then the
intervals are those of its lesions alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hqgan.experiments.splits import describe
from hqgan.experiments.statistics import Estimate, holm, interval, mean_of_known, p_value
from hqgan.experiments.study.arms import Arm, balance
from hqgan.experiments.study.cells import Cell
from hqgan.experiments.study.classifiers import Recipe
from hqgan.experiments.study.results import ArmRow, Family, SourcePair, SourceRow, StudyData, StudyResult
from hqgan.experiments.study.work import Task, Tested, read_probabilities

BOUNDS = (-1.0, 1.0)
"""Balanced accuracies and their differences cannot lie outside."""

DRAWS = 4000

Results = Sequence[tuple[Task, Tested]]
"""Tasks of a study with their results."""


def summarise(
    settings: dict[str, Any],
    results: Results,
    cells: Sequence[Cell],
    arms: Sequence[Arm],
    recipes: Mapping[str, Recipe],
    sources: list[SourceRow],
) -> StudyResult:
    """The result of a study.

    Args:
        settings: of the study, as JSON values.
        results: every task with its result.
        cells: all seeds of the first fraction, then those of the next.
        arms: in order.
        recipes: classifiers by name.
        sources: of images.
    """
    families: list[Family] = []
    rows: list[ArmRow] = []
    pairs: list[SourcePair] = []
    for fraction in dict.fromkeys(cell.fraction for cell in cells):
        for name, recipe in recipes.items():
            own = [(task, tested) for task, tested in results if (task.fraction, task.recipe) == (fraction, recipe)]
            family = _family(name, own, [cell for cell in cells if cell.fraction == fraction], arms)
            families.append(family[0])
            rows += family[1]
            pairs += family[2]
    about = describe(cells[0].data, cells[0].split)
    return StudyResult(
        settings=settings,
        data=StudyData(**asdict(about), balance=balance(np.array(about.training_images))),
        rare=[about.classes[c] for c in cells[0].rare],
        generators=sources,
        best_classical=families,
        arms=rows,
        pairs=pairs,
    )


def _family(
    classifier: str, results: Results, cells: Sequence[Cell], arms: Sequence[Arm]
) -> tuple[Family, list[ArmRow], list[SourcePair]]:
    """One classifier at one fraction: the family with its best classical arm, its arms and its pairs of sources."""
    seeds, classes = [cell.seed for cell in cells], cells[0].data.classes
    by_arm = {arm: [next(p for p in results if p[0].arm == arm and p[0].seed == s) for s in seeds] for arm in arms}
    answers = []
    for place, cell in enumerate(cells):
        labels, groups = cell.data.labels[cell.split.test], cell.data.groups[cell.split.test]
        right = [read_probabilities(*by_arm[arm][place]).argmax(1) == labels for arm in arms]
        answers.append(Answers(labels, groups, np.stack(right, 1)))
    accuracy, recalls = resampled(answers, len(classes), seed=0)
    means = np.array([np.mean([r.balanced_accuracy for _, r in by_arm[arm]]) for arm in arms])
    best = max((i for i, arm in enumerate(arms) if arm.generator is None), key=lambda i: means[i])

    def differences(reference: int) -> list[tuple[float | None, Estimate]]:
        """By arm, corrected p-value and size of its difference from the arm at `reference`."""
        others = [i for i in range(len(arms)) if i != reference]
        drawn = accuracy - accuracy[:, [reference]]
        p = dict(zip(others, holm([p_value(drawn[:, i]) for i in others]), strict=True))
        found = (means - means[reference]).tolist()
        return [(p.get(i), Estimate(found[i], *interval(drawn[:, i], BOUNDS))) for i in range(len(arms))]

    from_real, from_best = differences(arms.index(Arm("real"))), differences(best)
    fraction, steps = cells[0].fraction, results[0][0].recipe.steps
    rows = []
    for i, arm in enumerate(arms):
        own = [r for _, r in by_arm[arm]]
        low, high = interval(accuracy[:, i], BOUNDS)
        row = ArmRow(
            classifier=classifier,
            fraction=fraction,
            name=arm.name,
            text=arm.text,
            use=arm.use,
            generator=arm.generator,
            ratio=arm.ratio if arm.generator else None,
            seeds=seeds,
            balanced_accuracy=[r.balanced_accuracy for r in own],
            mean=float(means[i]),
            low=low,
            high=high,
            accuracy=float(np.mean([r.accuracy for r in own])),
            auroc=float(np.mean([r.auroc for r in own])),
            calibration_error=float(np.mean([r.calibration_error for r in own])),
            recall={name: _recall([r.recall[name] for r in own], recalls[:, i, c]) for c, name in enumerate(classes)},
            f1={name: mean_of_known([r.f1[name] for r in own]) for name in classes},
            generated=_mean_counts([r.generated for r in own]),
            p_value_against_real_only=from_real[i][0],
            difference_from_real_only=from_real[i][1],
            p_value_against_best_classical=from_best[i][0],
            difference_from_best_classical=from_best[i][1],
        )
        rows.append(row)
    pairs = _pairs(classifier, fraction, arms, accuracy, means)
    return Family(classifier, fraction, steps, arms[best].name), rows, pairs


def _pairs(
    classifier: str, fraction: float, arms: Sequence[Arm], accuracy: np.ndarray, means: np.ndarray
) -> list[SourcePair]:
    """Every source against every other, over the arms that both have."""
    places: dict[str, list[int]] = {}
    for i, arm in enumerate(arms):
        if arm.generator is not None:
            places.setdefault(arm.generator, []).append(i)
    # All sources have the same uses and ratios, in the same order.
    compared = list(combinations(places, 2))
    draws = [accuracy[:, places[a]].mean(1) - accuracy[:, places[b]].mean(1) for a, b in compared]
    corrected = holm([p_value(drawn) for drawn in draws])
    return [
        SourcePair(
            classifier,
            fraction,
            a,
            b,
            len(places[a]),
            float(means[places[a]].mean() - means[places[b]].mean()),
            *interval(drawn, BOUNDS),
            p_value=p,
        )
        for (a, b), drawn, p in zip(compared, draws, corrected, strict=True)
    ]


def _recall(by_seed: Sequence[float | None], draws: np.ndarray) -> Estimate:
    mean = mean_of_known(by_seed)
    return Estimate(None, None, None) if mean is None else Estimate(mean, *interval(draws, BOUNDS))


def _mean_counts(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    names = list(dict.fromkeys(name for one in counts for name in one))
    return {name: float(np.mean([one.get(name, 0) for one in counts])) for name in names}


@dataclass(frozen=True)
class Answers:
    """Whether the arms' classifiers were right on the test part of one seed.

    Attributes:
        labels: (N,) class indices.
        groups: (N,) lesion of each image.
        right: (N, A) bool, whether the classifier of each of A arms was right.
    """

    labels: np.ndarray
    groups: np.ndarray
    right: np.ndarray


def resampled(answers: Sequence[Answers], classes: int, seed: int, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Balanced accuracy, and recall by class, of every arm in every draw.

    Args:
        answers: one for each seed, with the arms in the same order.
        classes: number of classes C.
        seed: random seed of the draws.
        draws: number of draws D.

    Returns:
        Balanced accuracy (D, A) and recall (D, A, C), float64: means over the drawn seeds. The balanced accuracy of a seed is
        over the classes in its test part; a recall is over the seeds that have the class, NaN if none has. With few seeds a
        draw can lie outside 0 to 1.

    References:
        Davison & Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8; Rao & Wu, "Resampling Inference with
        Complex Survey Data", 1988, for the spread.
    """
    rng = np.random.default_rng(seed)
    by_seed = np.full((len(answers), draws, answers[0].right.shape[1], classes), np.nan)
    for c in range(classes):
        known = np.unique(np.concatenate([one.groups[one.labels == c] for one in answers]))
        if not len(known):
            continue
        times = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), size=draws).astype(np.float64)
        for place, one in enumerate(answers):
            by_seed[place, :, :, c] = _drawn_recall(one, c, known, times)
    chosen = rng.integers(len(answers), size=(draws, len(answers)))
    balanced, recalls = _nanmean(by_seed, 3), by_seed
    rows = np.arange(draws)[:, None]
    return tuple(_widened(_nanmean(x.swapaxes(0, 1)[rows, chosen], 1), len(answers)) for x in (balanced, recalls))  # type: ignore[return-value]


def _drawn_recall(answers: Answers, c: int, known: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(D, A) recall of one class, lesions `known` (L,) counted `times` (D, L); NaN where none is drawn."""
    mine = answers.labels == c
    lesion = np.searchsorted(known, answers.groups[mine])
    images = np.bincount(lesion, minlength=len(known)).astype(np.float64)
    right = np.zeros((len(known), answers.right.shape[1]))
    np.add.at(right, lesion, answers.right[mine].astype(np.float64))
    drawn = times @ images
    return (times @ right) / np.where(drawn > 0, drawn, np.nan)[:, None]


def _widened(drawn: np.ndarray, seeds: int) -> np.ndarray:
    """Draws spread about their mean for the number of seeds."""
    if seeds == 1:
        return drawn
    centre = _nanmean(drawn, 0)
    return centre + (drawn - centre) * np.sqrt(seeds / (seeds - 1))


def _nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is known; NaN, without a warning, where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    return np.where(known, values, 0).sum(axis) / np.where(count > 0, count, np.nan)
