"""Distances of contestants over seeds: intervals, and paired tests by a hierarchical bootstrap over seeds and lesions.

A draw takes seeds with replacement, and for each of them one of the halves of its test lesions, the same for all contestants.
S seeds drawn with replacement spread as if there were one fewer, and a spread known from few seeds is itself uncertain, so that
part is widened by sqrt(S / (S - 1)) and by Student's t over the normal quantile (2.2 for three seeds, 1.2 for eight). How much a
seed's own distance varies with its lesions is already in the spread over seeds, too: intervals are rather too wide than too
narrow. From one seed nothing can be said of others; then the intervals are those of its lesions alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hqgan.compare.contestants import Result
from hqgan.study.bootstrap import p_value

DRAWS = 4000


def draws(values: np.ndarray, halves: np.ndarray, seed: int) -> np.ndarray:
    """Draws (D,) of a mean over seeds.

    Args:
        values: (S,) one a seed: a distance, or a difference of two.
        halves: (S, H) the same on halves of the seed's lesions.
        seed: of the draws; equal for all contestants.
    """
    from scipy import stats

    rng = np.random.default_rng(seed)
    s, h = halves.shape
    seeds = rng.integers(s, size=(DRAWS, s))
    places = rng.integers(h, size=(DRAWS, s))
    over_seeds = values[seeds].mean(1) - values.mean()
    within = (halves - halves.mean(1, keepdims=True))[seeds, places].mean(1)
    wider = np.sqrt(s / (s - 1)) * stats.t.ppf(0.975, s - 1) / stats.norm.ppf(0.975) if s > 1 else 1.0
    return values.mean() + wider * over_seeds + within


def interval(drawn: np.ndarray) -> tuple[float, float]:
    """95 % of draws."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def mean_of(results: Sequence[Result], seed: int = 0) -> Result:
    """``{mean, low, high}`` of a contestant's distance over its seeds; null where a seed has none."""
    if any(r["distance"] is None for r in results):
        return {"mean": None, "low": None, "high": None}
    values, halves = _arrays(results)
    low, high = interval(draws(values, halves, seed))
    return {"mean": float(values.mean()), "low": low, "high": high}


def difference(own: Sequence[Result], other: Sequence[Result], seed: int = 0) -> Result | None:
    """How much farther `own` is than `other`, seed by seed; None where a seed has no distance.

    Returns:
        ``{mean, low, high, p_value, wilcoxon, nearer, seeds}``: bootstrap p-value, two-sided; Wilcoxon's signed-rank p-value,
        exact, null for fewer than two seeds; seeds in which `own` is the nearer.
    """
    from scipy.stats import wilcoxon

    if any(r["distance"] is None for r in [*own, *other]):
        return None
    (a, a_halves), (b, b_halves) = _arrays(own), _arrays(other)
    values = a - b
    drawn = draws(values, a_halves - b_halves, seed)
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


def _arrays(results: Sequence[Result]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r["distance"] for r in results]), np.array([r["halves"] for r in results])
