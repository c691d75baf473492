"""Statistics of a study and a comparison: intervals, p-values, Holm's correction, and when a result is a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

VERDICT = 8
"""Seeds that a verdict takes: Wilcoxon's test of five pairs cannot give a p-value below 0.06."""

LEVEL = 0.05
"""Corrected p-values below this are significant."""


@dataclass(frozen=True)
class Estimate:
    """A mean with the limits of its 95 % interval; None where it is not known."""

    mean: float | None
    low: float | None
    high: float | None

    def text(self, form: str) -> str:
        """``0.61 [0.55, 0.67]`` for the format ``.2f``."""
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def interval(draws: np.ndarray, bounds: tuple[float, float] | None = None) -> tuple[float, float]:
    """95 % percentile interval of bootstrap draws (D,), NaN draws left out; NaN if all are.

    Args:
        draws: (D,) float64.
        bounds: smallest and largest value that the measure can take; limits outside are moved there.
    """
    if np.isnan(draws).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(draws, [(1 - 0.95) / 2, (1 + 0.95) / 2])
    if bounds is not None:
        low, high = np.clip([low, high], *bounds)
    return float(low), float(high)


def p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of bootstrap draws (D,) of a difference: twice the smaller tail, at least 2 / (D + 1)."""
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    return float(min(1.0, 2 * (tail + 1) / (len(differences) + 1)))


def wilcoxon(differences: np.ndarray) -> float | None:
    """Exact p-value of Wilcoxon's signed-rank test of differences (S,) over seeds; None for fewer than two, or all zero."""
    from scipy.stats import wilcoxon as test

    known = len(differences) > 1 and bool(np.any(differences))
    return float(test(differences, method="exact").pvalue) if known else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p-values for their number; in their order.

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    order = np.argsort(p_values, kind="stable")
    out, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        out[i] = highest
    return out


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are not None; None if there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def no_verdict(seeds: int) -> tuple[list[str], str]:
    """A sentence for too few seeds, and how all other sentences then begin; both empty from `VERDICT` seeds on."""
    if seeds >= VERDICT:
        return [], ""
    return [
        f"No verdict: that takes {VERDICT} seeds, and this is {seeds}. The findings below are preliminary."
    ], "So far, "


def relation(mean: float, p: float, below: str, above: str) -> str:
    """The verb between two names: `below` or `above` by the sign of a significant difference, else that there is none."""
    return (below if mean < 0 else above) if p < LEVEL else "shows no significant difference from"
