"""From what was measured of each run to a comparison's result: a leaderboard, paired tests and curves.

Intervals and paired tests are by a hierarchical bootstrap over seeds and lesions. A draw of a mean has two parts. For the
seeds: Student's t with S - 1 degrees of freedom times the standard error. This is a parametric bootstrap; drawing eight seeds
with replacement gives tails that are far too light for p-values corrected for many tests. For the lesions: one of the random
halves of each seed's test lesions, the same for all contestants, and one half for all seeds if they share a test part. The
spread over seeds already contains some of the variation over lesions, so intervals are rather too wide than too narrow. One
seed says nothing about others: then the intervals are over its lesions alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hqgan.experiments.compare.contestants import Contestant
from hqgan.experiments.compare.measure import EXTRACTORS, Cell
from hqgan.experiments.compare.results import BoardRow, DataResult, MeanMetric, MeanPoint, Pair, RunResult, TimeTo
from hqgan.experiments.splits import describe
from hqgan.experiments.statistics import Estimate, holm, interval, p_value, wilcoxon

DRAWS = 20_000

TARGETS = (1.0, 0.5)
"""Distances on the validation part until which training is timed: that of the PCA-Gaussian baseline, and half of it."""

AVERAGED = ("value", "real_reference", "baseline", "normalised")
"""Fields of a metric that are averaged over seeds."""


def of_data(
    results: Sequence[RunResult], contestants: Sequence[Contestant], cell: Cell, about: Mapping[str, Any]
) -> DataResult:
    """The result on one data set.

    Args:
        results: of every contestant and seed.
        contestants: in order; the others are tested against the first.
        cell: the first seed.
        about: the fields of `DataResult` that the comparison was given.
    """
    by_name = {one.name: [r for r in results if r.name == one.name] for one in contestants}
    # The same extractors for all seeds and contestants, and the same for all points of their curves.
    extractors = _common([r.distances for r in results])
    on_validation = _common([p.distances for r in results for p in r.curve])
    board = [_row(own, extractors, on_validation) for own in by_name.values()]
    board.sort(key=lambda row: (row.distance.mean is None, row.distance.mean))
    first, *others = by_name.values()
    pairs = [pair for own in others if (pair := difference(first, own, extractors)) is not None]
    corrected = holm([pair.p_value for pair in pairs])
    return DataResult(
        **asdict(describe(cell.data, cell.split)),
        **about,
        published_split=cell.data.sides is not None,
        n=results[0].n,
        extractors=extractors,
        curve_extractors=on_validation,
        leaderboard=board,
        pairs=[replace(pair, p_corrected=p) for pair, p in zip(pairs, corrected, strict=True)],
        curves={name: _mean_curve(own, on_validation) for name, own in by_name.items()},
    )


def _common(found: Sequence[Mapping[str, float]]) -> list[str]:
    """Extractors that all have, in order."""
    return [name for name in EXTRACTORS if found and all(name in one for one in found)]


def _row(own: Sequence[RunResult], extractors: Sequence[str], on_validation: Sequence[str]) -> BoardRow:
    """One contestant over its seeds."""
    by_seed = arrays(own, extractors)[0].tolist() if extractors else [None] * len(own)
    trained = own[0].trained | {
        "epochs": float(np.mean([r.epochs for r in own])),
        "seconds": float(np.median([r.seconds for r in own])),
        "images_per_second": float(np.median([r.images_per_second for r in own])),
        "private": any(r.private for r in own),
    }
    return BoardRow(
        **trained,
        threads=sorted({r.threads for r in own if r.threads}),
        distance=mean_of(own, extractors),
        by_seed={str(r.seed): d for r, d in zip(own, by_seed, strict=True)},
        seconds_to=[seconds_to(own, target, on_validation) for target in TARGETS],
        metrics=_metrics(own),
        checkpoints={str(r.seed): r.checkpoint_sha256 for r in own},
    )


def seconds_to(own: Sequence[RunResult], target: float, extractors: Sequence[str]) -> TimeTo:
    """The training of one contestant's runs until their distance on the validation part is first at most `target`."""
    points = [next((p for p in r.curve if extractors and _mean(p.distances, extractors) <= target), None) for r in own]
    reached = [p for p in points if p is not None]
    # The median of all runs is known only if more than half of them reached the target.
    if 2 * len(reached) <= len(own):
        return TimeTo(target, None, None, len(reached), len(own))
    never = [float("inf")] * (len(own) - len(reached))
    seconds, images = ([getattr(p, name) for p in reached] for name in ("seconds", "images"))
    return TimeTo(target, float(np.median(seconds + never)), float(np.median(images + never)), len(reached), len(own))


def _metrics(own: Sequence[RunResult]) -> list[MeanMetric]:
    """Every metric over all classes, averaged over the seeds that have it."""
    by_seed = [[r for r in one.rows if r.class_name is None and r.value is not None] for one in own]
    out = []
    for key in dict.fromkeys(row.key for rows in by_seed for row in rows):
        alike = [row for rows in by_seed for row in rows if row.key == key]
        means: dict[str, Any] = {name: _mean_of_all([getattr(r, name) for r in alike]) for name in AVERAGED}
        first = alike[0]
        out.append(MeanMetric(first.distance, first.extractor, **means, n=min(r.n for r in alike), seeds=len(alike)))
    return out


def _mean_curve(own: Sequence[RunResult], extractors: Sequence[str]) -> list[MeanPoint]:
    """Means over seeds at each point."""
    found = zip(*(r.curve for r in own), strict=True) if extractors else []
    return [
        MeanPoint(
            images=float(np.mean([p.images for p in points])),
            seconds=float(np.mean([p.seconds for p in points])),
            distance=float(np.mean([_mean(p.distances, extractors) for p in points])),
        )
        for points in found
    ]


def _mean(distances: Mapping[str, float], extractors: Sequence[str]) -> float:
    return float(np.mean([distances[name] for name in extractors]))


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    """The mean; None if a value is not known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def draws(values: np.ndarray, halves: np.ndarray, shared: bool) -> np.ndarray:
    """Bootstrap draws (D,) of a mean over seeds.

    Args:
        values: (S,) one for each seed: a distance, or a difference of two.
        halves: (S, H) the same on halves of the seed's test lesions.
        shared: whether all seeds have the same test part, so that half h has the same lesions in each.
    """
    rng = np.random.default_rng(0)  # the same draws for all contestants
    s, h = halves.shape
    places = rng.integers(h, size=(DRAWS, 1 if shared else s))
    within = (halves - halves.mean(1, keepdims=True))[np.arange(s), np.broadcast_to(places, (DRAWS, s))].mean(1)
    if s == 1:
        return values.mean() + within
    return values.mean() + values.std(ddof=1) / np.sqrt(s) * rng.standard_t(s - 1, DRAWS) + within


def mean_of(results: Sequence[RunResult], extractors: Sequence[str]) -> Estimate:
    """A contestant's distance over its seeds, mean over extractors; all None without an extractor."""
    if not extractors:
        return Estimate(None, None, None)
    values, halves = arrays(results, extractors)
    return Estimate(float(values.mean()), *interval(draws(values, halves, _shared(results))))


def difference(own: Sequence[RunResult], other: Sequence[RunResult], extractors: Sequence[str]) -> Pair | None:
    """How much larger the distance of `own` is than that of `other`, seed by seed; None without an extractor.

    Its p-value is not corrected for the number of tests yet.
    """
    if not extractors:
        return None
    (a, a_halves), (b, b_halves) = arrays(own, extractors), arrays(other, extractors)
    values = a - b
    drawn = draws(values, a_halves - b_halves, _shared(own))
    p, nearer = p_value(drawn), int((values < 0).sum())
    low, high = interval(drawn)
    return Pair(
        name=own[0].name, against=other[0].name, mean=float(values.mean()), low=low, high=high, p_value=p,
        wilcoxon=wilcoxon(values), nearer=nearer, seeds=len(values), p_corrected=p,
    )  # fmt: skip


def arrays(results: Sequence[RunResult], extractors: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Distances (S,) by seed, means over extractors, and the same on halves (S, H)."""
    values = np.array([np.mean([r.distances[name] for name in extractors]) for r in results])
    return values, np.array([np.mean([r.halves[name] for name in extractors], axis=0) for r in results])


def _shared(results: Sequence[RunResult]) -> bool:
    return len({r.test_part for r in results}) < len(results)
