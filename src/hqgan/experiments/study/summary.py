"""From the predictions of a study's classifiers to its result: means, intervals and p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hqgan.experiments.splits import describe
from hqgan.experiments.statistics import Estimate, holm, interval, mean_of_known, p_value
from hqgan.experiments.study import bootstrap
from hqgan.experiments.study.arms import Arm, balance
from hqgan.experiments.study.bootstrap import Answers
from hqgan.experiments.study.classifiers.recipe import Recipe
from hqgan.experiments.study.results import ArmRow, Family, SourcePair, SourceRow, StudyData, StudyResult
from hqgan.experiments.study.sources.pool import SourceInfo
from hqgan.experiments.study.work import Task, Tested, read_probabilities
from hqgan.types import ImageData, Split

BOUNDS = (-1.0, 1.0)
"""Balanced accuracies and their differences cannot lie outside."""

Parts = Mapping[tuple[int, float], tuple[ImageData, Split]]
"""Data and split by seed and fraction."""

Results = Sequence[tuple[Task, Tested]]
"""Every task of a study with its result."""


def summarise(
    settings: dict[str, Any],
    results: Results,
    parts: Parts,
    arms: Sequence[Arm],
    recipes: Mapping[str, Recipe],
    sources: Mapping[tuple[int, float], Sequence[SourceInfo]],
    seed: int = 0,
) -> StudyResult:
    """The result of a study.

    Args:
        settings: of the study, as JSON values.
        results: every task with its result.
        parts: data and split by seed and fraction.
        arms: in order.
        recipes: classifiers by name.
        sources: descriptions of the sources of images by seed and fraction.
        seed: random seed of the bootstrap.
    """
    rows: list[ArmRow] = []
    pairs: list[SourcePair] = []
    families: list[Family] = []
    fractions = list(dict.fromkeys(task.fraction for task, _ in results))
    for fraction in fractions:
        for name, recipe in recipes.items():
            family = [(t, r) for t, r in results if t.fraction == fraction and t.recipe == recipe]
            found, own_pairs, best = _family(Family(name, fraction, recipe.steps, ""), family, parts, arms, seed)
            rows += found
            pairs += own_pairs
            families.append(best)
    data, split = parts[results[0][0].seed, fractions[0]]
    about = describe(data, split)
    return StudyResult(
        settings=settings,
        data=StudyData(**asdict(about), balance=balance(np.array(about.training_images))),
        rare=[data.classes[c] for c in results[0][0].rare],
        generators=_sources(sources),
        best_classical=families,
        arms=rows,
        pairs=pairs,
    )


def _family(
    family: Family, results: Results, parts: Parts, arms: Sequence[Arm], seed: int
) -> tuple[list[ArmRow], list[SourcePair], Family]:
    """The arms and pairs of one classifier at one fraction, and the family with its best classical arm."""
    seeds = list(dict.fromkeys(task.seed for task, _ in results))
    by_arm = {arm: [next(p for p in results if p[0].arm == arm and p[0].seed == s) for s in seeds] for arm in arms}
    answers = []
    classes = parts[seeds[0], family.fraction][0].classes
    for place, s in enumerate(seeds):
        data, split = parts[s, family.fraction]
        test = split.test
        labels = data.labels[test]
        predicted = [read_probabilities(*by_arm[arm][place]).argmax(1) for arm in arms]
        answers.append(Answers(labels, data.groups[test], np.stack([a == labels for a in predicted], 1)))
    accuracy, recalls = bootstrap.resampled(answers, len(classes), seed)
    means = np.array([np.mean([r.scores.balanced_accuracy for _, r in by_arm[arm]]) for arm in arms])
    best = max((i for i, arm in enumerate(arms) if arm.generator is None), key=lambda i: means[i])
    against = {}
    for name, reference in (("real_only", arms.index(Arm("real"))), ("best_classical", best)):
        others = [i for i in range(len(arms)) if i != reference]
        p = holm([p_value(accuracy[:, i] - accuracy[:, reference]) for i in others])
        against[name] = [
            (
                p[others.index(i)] if i in others else None,
                Estimate(
                    float(means[i] - means[reference]), *interval(accuracy[:, i] - accuracy[:, reference], BOUNDS)
                ),
            )
            for i in range(len(arms))
        ]
    rows = []
    for i, arm in enumerate(arms):
        own = [r for _, r in by_arm[arm]]
        scores = [r.scores for r in own]
        low, high = interval(accuracy[:, i], BOUNDS)
        (p_real, from_real), (p_best, from_best) = (against[name][i] for name in ("real_only", "best_classical"))
        rows.append(
            ArmRow(
                classifier=family.classifier,
                fraction=family.fraction,
                name=arm.name,
                text=arm.text,
                use=arm.use,
                generator=arm.generator,
                ratio=arm.ratio if arm.generator else None,
                seeds=seeds,
                balanced_accuracy=[s.balanced_accuracy for s in scores],
                mean=float(means[i]),
                low=low,
                high=high,
                accuracy=float(np.mean([s.accuracy for s in scores])),
                auroc=float(np.mean([s.auroc for s in scores])),
                calibration_error=float(np.mean([s.calibration_error for s in scores])),
                recall={
                    name: _recall([s.recall[name] for s in scores], recalls[:, i, c]) for c, name in enumerate(classes)
                },
                f1={name: mean_of_known([s.f1[name] for s in scores]) for name in classes},
                generated=_mean_counts([r.generated for r in own]),
                p_value_against_real_only=p_real,
                difference_from_real_only=from_real,
                p_value_against_best_classical=p_best,
                difference_from_best_classical=from_best,
            )
        )
    return rows, _pairs(family, arms, accuracy, means), replace(family, name=arms[best].name)


def _pairs(family: Family, arms: Sequence[Arm], accuracy: np.ndarray, means: np.ndarray) -> list[SourcePair]:
    """Every source against every other, over the arms that both have."""
    names = list(dict.fromkeys(arm.generator for arm in arms if arm.generator))
    found: list[SourcePair] = []
    for n, a in enumerate(names):
        for b in names[n + 1 :]:
            both = [(i, j) for i, x in enumerate(arms) for j, y in enumerate(arms)
                    if (x.generator, y.generator) == (a, b) and (x.use, x.ratio) == (y.use, y.ratio)]  # fmt: skip
            left, right = [i for i, _ in both], [j for _, j in both]
            draws = accuracy[:, left].mean(1) - accuracy[:, right].mean(1)
            mean = float(means[left].mean() - means[right].mean())
            place = (family.classifier, family.fraction, a, b, len(both), mean)
            found.append(SourcePair(*place, *interval(draws, BOUNDS), p_value(draws)))
    corrected = holm([pair.p_value for pair in found])
    return [replace(pair, p_value=p) for pair, p in zip(found, corrected, strict=True)]


def _recall(by_seed: Sequence[float | None], draws: np.ndarray) -> Estimate:
    mean = mean_of_known(by_seed)
    return Estimate(None, None, None) if mean is None else Estimate(mean, *interval(draws, BOUNDS))


def _mean_counts(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    names = list(dict.fromkeys(name for one in counts for name in one))
    return {name: float(np.mean([one.get(name, 0) for one in counts])) for name in names}


def _sources(found: Mapping[tuple[int, float], Sequence[SourceInfo]]) -> list[SourceRow]:
    """One row a source, over all seeds and fractions."""
    out = []
    for name in dict.fromkeys(one.name for some in found.values() for one in some):
        own = {place: one for place, some in found.items() for one in some if one.name == name}
        first = next(iter(own.values()))
        out.append(
            SourceRow(
                name,
                first.parameters,
                first.epochs,
                first.images_shown,
                verified=all(one.verified for one in own.values()),
                sha256={f"seed {seed}, {fraction:.0%}": one.sha256 for (seed, fraction), one in own.items()},
                private=any(one.private for one in own.values()),
            )
        )
    return out
