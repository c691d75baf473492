"""Spread of a metric by random halves of the images, and class mixes at a smaller number of images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

HALVES = 20
"""Half-samples that a standard deviation is computed from."""

SMALLEST_CLASS = 20
"""Images of a class, on each side, below which the class is not measured."""

Statistic = Callable[[np.ndarray, np.ndarray], float | tuple[float, ...]]
"""A metric, or several, of the images at these places of one set and of the other."""


def value_and_deviation(
    statistic: Statistic, n: int, m: int, seed: int | None, halves: int = HALVES
) -> tuple[np.ndarray, np.ndarray | None]:
    """A statistic of two whole sets, and its standard deviation over random halves of both.

    Halves are drawn without replacement: with half of the images left out, the deviation among halves is that of the whole
    sample about the truth (delete-d jackknife, d = N / 2). A bootstrap would repeat images, which Fréchet distance, precision
    and recall take for a lack of variety. Near the real reference distances are degenerate and halves vary up to twice too
    much: an interval there is wide.

    Args:
        statistic: of places in the first set and in the second.
        n: images of the first set.
        m: images of the second set.
        seed: of the halves; None for no deviation.
        halves: how many.

    Returns:
        Value and deviation, each of the statistic's shape.

    References:
        Shao & Wu, "A General Theory for Jackknife Variance Estimation", 1989; Politis & Romano, 1994.
    """
    whole = np.array(statistic(np.arange(n), np.arange(m)))
    if seed is None:
        return whole, None
    rng = np.random.default_rng(seed)
    values = [np.array(statistic(rng.permutation(n)[: n // 2], rng.permutation(m)[: m // 2])) for _ in range(halves)]
    return whole, np.std(values, axis=0, ddof=1)


def of_one_set(statistic: Callable[[np.ndarray], float], values: np.ndarray, seed: int) -> tuple[float, float]:
    """A statistic of values (N, ...), one an image or a pair, and its standard deviation by random halves."""
    value, deviation = value_and_deviation(lambda i, _: statistic(values[i]), len(values), 1, seed)
    return float(value), 0.0 if deviation is None else float(deviation)


def equal_numbers(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places of equally many random images of each class in two sets with class indices `a` (N,) and `b` (M,)."""
    ours, theirs = [], []
    for c in np.union1d(a, b):
        mine, others = np.flatnonzero(a == c), np.flatnonzero(b == c)
        k = min(len(mine), len(others))
        ours.append(rng.permutation(mine)[:k])
        theirs.append(rng.permutation(others)[:k])
    return np.concatenate(ours), np.concatenate(theirs)


def proportional(counts: np.ndarray, n: int) -> np.ndarray:
    """Whole numbers that add up to `n` in the proportion of `counts` (largest remainders; none above its count)."""
    counts = np.asarray(counts)
    quota = counts * min(n, counts.sum()) / max(counts.sum(), 1)
    whole = np.floor(quota + 1e-9).astype(np.int64)
    rest = np.argsort(whole - quota, kind="stable")[: min(n, counts.sum()) - whole.sum()]
    whole[rest] += 1
    return whole


def largest_mix(available: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(C,) the most images of each class, out of those `available` (C,), that keep the class mix of `real` (C,) images.

    All zero where a class of the real images is not available at all.
    """
    if (available[real > 0] == 0).any():
        return np.zeros(len(real), np.int64)
    n = int(real.sum())
    while n and (proportional(real, n) > available).any():
        n -= 1
    return proportional(real, n)
