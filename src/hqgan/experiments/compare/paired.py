"""Distances of contestants over seeds: intervals, and paired tests by a hierarchical bootstrap over seeds and lesions.

A draw of a mean over seeds has two parts. For the seeds: Student's t with S - 1 degrees of freedom times the standard error. This
is a parametric bootstrap; drawing eight seeds with replacement gives tails that are far too light for p-values corrected for many
tests. For the lesions: one of the random halves of each seed's test lesions, the same for all contestants, and one half for all
seeds if they share a test part. The spread over seeds already contains some of the variation over lesions, so intervals are
rather too wide than too narrow. One seed says nothing about others: then the intervals are over its lesions alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hqgan.experiments.compare.results import Pair, RunResult
from hqgan.experiments.statistics import Estimate, interval, p_value, wilcoxon

DRAWS = 20_000


def draws(values: np.ndarray, halves: np.ndarray, shared: bool, seed: int = 0) -> np.ndarray:
    """Bootstrap draws (D,) of a mean over seeds.

    Args:
        values: (S,) one for each seed: a distance, or a difference of two.
        halves: (S, H) the same on halves of the seed's test lesions.
        shared: whether all seeds have the same test part, so that half h has the same lesions in each.
        seed: random seed of the draws, equal for all contestants.
    """
    rng = np.random.default_rng(seed)
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
    low, high = interval(drawn)
    p = p_value(drawn)
    return Pair(
        name=own[0].name,
        against=other[0].name,
        mean=float(values.mean()),
        low=low,
        high=high,
        p_value=p,
        wilcoxon=wilcoxon(values),
        nearer=int((values < 0).sum()),
        seeds=len(values),
        p_corrected=p,
    )


def arrays(results: Sequence[RunResult], extractors: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Distances (S,) by seed, means over extractors, and the same on halves (S, H)."""
    values = np.array([np.mean([r.distances[name] for name in extractors]) for r in results])
    return values, np.array([np.mean([r.halves[name] for name in extractors], axis=0) for r in results])


def _shared(results: Sequence[RunResult]) -> bool:
    return len({r.test_part for r in results}) < len(results)
