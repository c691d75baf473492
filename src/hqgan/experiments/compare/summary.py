"""From what was measured of each run to a comparison's result: a leaderboard, paired tests and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hqgan.experiments.compare import paired
from hqgan.experiments.compare.contestants import Contestant
from hqgan.experiments.compare.measure import EXTRACTORS
from hqgan.experiments.compare.results import BoardRow, DataResult, MeanMetric, MeanPoint, RunResult, TimeTo
from hqgan.experiments.statistics import holm

TARGETS = (1.0, 0.5)
"""Distances on the validation part until which training is timed: that of the PCA-Gaussian baseline, and half of it."""


def of_data(results: Sequence[RunResult], contestants: Sequence[Contestant], about: Mapping[str, Any]) -> DataResult:
    """The result on one data set.

    Args:
        results: of every contestant and seed.
        contestants: in order; the others are tested against the first.
        about: the fields of `DataResult` that describe the data.
    """
    by_name = {one.name: [r for r in results if r.name == one.name] for one in contestants}
    # The same extractors for all seeds and contestants, and the same for all points of their curves.
    extractors = _common([r.distances for r in results])
    on_validation = _common([p.distances for r in results for p in r.curve])
    board = [_row(own, extractors, on_validation) for own in by_name.values()]
    board.sort(key=lambda row: (row.distance.mean is None, row.distance.mean))
    first, *others = by_name.values()
    pairs = [pair for own in others if (pair := paired.difference(first, own, extractors)) is not None]
    corrected = holm([pair.p_value for pair in pairs])
    return DataResult(
        **about,
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
    first = own[0]
    by_seed = paired.arrays(own, extractors)[0].tolist() if extractors else [None] * len(own)
    return BoardRow(
        name=first.name,
        preset=first.preset,
        parameters=first.parameters,
        quantum_parameters=first.quantum_parameters,
        critic_parameters=first.critic_parameters,
        images=first.images,
        epochs=float(np.mean([r.epochs for r in own])),
        seconds=float(np.median([r.seconds for r in own])),
        images_per_second=float(np.median([r.images_per_second for r in own])),
        threads=sorted({r.threads for r in own if r.threads}),
        distance=paired.mean_of(own, extractors),
        by_seed={str(r.seed): d for r, d in zip(own, by_seed, strict=True)},
        seconds_to=[seconds_to(own, target, on_validation) for target in TARGETS],
        metrics=_metrics(own),
        checkpoints={str(r.seed): r.checkpoint_sha256 for r in own},
        private=any(r.private for r in own),
    )


def seconds_to(own: Sequence[RunResult], target: float, extractors: Sequence[str]) -> TimeTo:
    """The training of one contestant's runs until their distance on the validation part is first at most `target`."""
    points = [next((p for p in r.curve if extractors and _mean(p.distances, extractors) <= target), None) for r in own]
    reached = sum(p is not None for p in points)
    # The median of all runs is known only if more than half of them reached the target.
    if 2 * reached <= len(own):
        return TimeTo(target, None, None, reached, len(own))
    far = float("inf")
    seconds, images = (
        float(np.median([far if p is None else value(p) for p in points]))
        for value in (lambda p: p.seconds, lambda p: p.images)
    )
    return TimeTo(target, seconds, images, reached, len(own))


def _metrics(own: Sequence[RunResult]) -> list[MeanMetric]:
    """Every metric over all classes, averaged over the seeds that have it."""
    by_seed = [[r for r in one.rows if r.class_name is None and r.value is not None] for one in own]
    out = []
    for key in dict.fromkeys(row.key for rows in by_seed for row in rows):
        alike = [row for rows in by_seed for row in rows if row.key == key]
        out.append(
            MeanMetric(
                alike[0].distance,
                alike[0].extractor,
                value=_mean_of_all([r.value for r in alike]),
                real_reference=_mean_of_all([r.real_reference for r in alike]),
                baseline=_mean_of_all([r.baseline for r in alike]),
                normalised=_mean_of_all([r.normalised for r in alike]),
                n=min(r.n for r in alike),
                seeds=len(alike),
            )
        )
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
