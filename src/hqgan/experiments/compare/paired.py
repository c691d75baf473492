"""Distances of contestants over seeds: intervals, and paired tests by a hierarchical bootstrap over seeds and lesions.

A draw is a mean over seeds in two parts. Of the seeds: Student's t with S - 1 degrees of freedom times the standard error, a
parametric bootstrap, since eight seeds drawn with replacement have tails that are far too light for p-values corrected for many
tests. Of the lesions: for each seed one of the halves of its test lesions, the same for all contestants, and one for all seeds
where these share a test part. How much a seed's own distance varies with its lesions is already in the spread over seeds, too:
intervals are rather too wide than too narrow. From one seed nothing can be said of others; then they are of its lesions alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hqgan.experiments.compare.contestants import Result
from hqgan.experiments.study.bootstrap import p_value

DRAWS = 20_000


def draws(values: np.ndarray, halves: np.ndarray, shared: bool, seed: int = 0) -> np.ndarray:
    """RandomStream (D,) of a mean over seeds.

    Args:
        values: (S,) one a seed: a distance, or a difference of two.
        halves: (S, H) the same on halves of the seed's lesions.
        shared: whether all seeds have one test part, so that half h is of the same lesions in each.
        seed: of the draws; equal for all contestants.
    """
    rng = np.random.default_rng(seed)
    s, h = halves.shape
    places = rng.integers(h, size=(DRAWS, 1 if shared else s))
    within = (halves - halves.mean(1, keepdims=True))[np.arange(s), np.broadcast_to(places, (DRAWS, s))].mean(1)
    if s == 1:
        return values.mean() + within
    return values.mean() + values.std(ddof=1) / np.sqrt(s) * rng.standard_t(s - 1, DRAWS) + within


def interval(drawn: np.ndarray) -> tuple[float, float]:
    """95 % of draws."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def mean_of(results: Sequence[Result], views: Sequence[str]) -> Result:
    """``{mean, low, high}`` of a contestant's distance over its seeds; null where there is no view."""
    if not views:
        return {"mean": None, "low": None, "high": None}
    values, halves = arrays(results, views)
    low, high = interval(draws(values, halves, _shared(results)))
    return {"mean": float(values.mean()), "low": low, "high": high}


def difference(own: Sequence[Result], other: Sequence[Result], views: Sequence[str]) -> Result | None:
    """How much farther `own` is than `other`, seed by seed; None where there is no view.

    Returns:
        ``{mean, low, high, p_value, wilcoxon, nearer, seeds}``: bootstrap p-value, two-sided; Wilcoxon's signed-rank p-value,
        exact, null for fewer than two seeds; seeds in which `own` is the nearer.
    """
    from scipy.stats import wilcoxon

    if not views:
        return None
    (a, a_halves), (b, b_halves) = arrays(own, views), arrays(other, views)
    values = a - b
    drawn = draws(values, a_halves - b_halves, _shared(own))
    low, high = interval(drawn)
    some = len(values) > 1 and bool(np.any(values))
    return {
        "mean": float(values.mean()),
        "low": low,
        "high": high,
        "p_value": p_value(drawn),
        "wilcoxon": float(wilcoxon(values, method="exact").pvalue) if some else None,
        "nearer": int((values < 0).sum()),
        "seeds": len(values),
    }


def arrays(results: Sequence[Result], views: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Distances (S,) of the seeds, means over views, and the same on halves (S, H)."""
    values = np.array([np.mean([r["distances"][view] for view in views]) for r in results])
    return values, np.array([np.mean([r["halves"][view] for view in views], axis=0) for r in results])


def _shared(results: Sequence[Result]) -> bool:
    return len({r["test_part"] for r in results}) < len(results)
