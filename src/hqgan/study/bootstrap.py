"""Paired hierarchical bootstrap over seeds and lesions, and Holm's correction for many arms.

A draw takes seeds with replacement, and for each of them test lesions with replacement, class by class so that every class
stays. All arms see the same draw, so that differences between arms are paired. S seeds drawn with replacement spread as if there
were one fewer, so draws are spread about their mean by sqrt(S / (S - 1)). From one seed nothing can be said of others: then the
intervals are those of its lesions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 4000


@dataclass(frozen=True)
class Answers:
    """What the arms' classifiers answered on one seed's test part.

    Attributes:
        labels: (N,) class indices.
        groups: (N,) the lesion of each image.
        right: (N, A) whether each of A arms was right.
    """

    labels: np.ndarray
    groups: np.ndarray
    right: np.ndarray


def resampled_recalls(answers: Sequence[Answers], classes: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Recall by class of every arm in every draw.

    Args:
        answers: one a seed, the arms in one order.
        classes: C.
        seed: of the draws.
        draws: D.

    Returns:
        (D, A, C) float64: mean over the seeds drawn; NaN for a class that no test part has. With few seeds a draw can lie outside
        0 to 1.

    References:
        Davison & Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8; Rao & Wu, "Resampling Inference with
        Complex Survey Data", 1988, for the spread.
    """
    rng = np.random.default_rng(seed)
    by_seed = np.stack([_of_seed(one, classes, rng, draws) for one in answers])  # (S, D, A, C)
    # Each seed drawn brings a draw of lesions of its own, also where it comes twice.
    chosen = rng.integers(len(answers), size=(draws, len(answers)))
    which = rng.integers(draws, size=(draws, len(answers)))
    drawn = by_seed[chosen, which].mean(1)
    if len(answers) == 1:
        return drawn
    centre = drawn.mean(0)
    return centre + (drawn - centre) * np.sqrt(len(answers) / (len(answers) - 1))


def _of_seed(answers: Answers, classes: int, rng: np.random.Generator, draws: int) -> np.ndarray:
    """(D, A, C) recalls over draws of one seed's lesions."""
    out = np.full((draws, answers.right.shape[1], classes), np.nan)
    for c in np.unique(answers.labels):
        mine = answers.labels == c
        _, lesion = np.unique(answers.groups[mine], return_inverse=True)
        lesions = int(lesion.max()) + 1
        images = np.bincount(lesion, minlength=lesions).astype(np.float64)
        right = np.zeros((lesions, answers.right.shape[1]))
        np.add.at(right, lesion, answers.right[mine].astype(np.float64))
        times = rng.multinomial(lesions, np.full(lesions, 1 / lesions), size=draws).astype(np.float64)
        out[:, :, c] = (times @ right) / (times @ images)[:, None]
    return out


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of draws (D,) of a measure that cannot leave -1 to 1."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]).clip(-1, 1)
    return float(low), float(high)


def p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of draws of a difference (D,) against nought: twice the smaller tail, never below 2 / (D + 1)."""
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    return float(min(1.0, 2 * (tail + 1) / (len(differences) + 1)))


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
