"""Paired hierarchical bootstrap over seeds and lesions, and Holm's correction for many arms.

A draw takes seeds with replacement, and lesions of the data set with replacement, class by class so that every class stays: a
lesion drawn twice counts twice in the test part of every seed that tests it, since seeds split the same lesions differently.
All arms see the same draw, so that differences between arms are paired. S seeds drawn with replacement spread as if there
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
            by_seed[place, :, :, c] = _recall(one, c, known, times)
    chosen = rng.integers(len(answers), size=(draws, len(answers)))
    balanced, recalls = _nanmean(by_seed, 3), by_seed
    rows = np.arange(draws)[:, None]
    return tuple(_widened(_nanmean(x.swapaxes(0, 1)[rows, chosen], 1), len(answers)) for x in (balanced, recalls))  # type: ignore[return-value]


def _recall(answers: Answers, c: int, known: np.ndarray, times: np.ndarray) -> np.ndarray:
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
