"""All measures of one pair of image sets in one view, with their spread by half-samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hqgan.metrics import distances
from hqgan.metrics import prdc as manifold
from hqgan.metrics.extractors.features import FeatureExtractor

HALVES = 20
"""Half-samples that a spread is taken from."""

SMALLEST = 20
"""Images of a class, on each side, below which nothing is said about the class."""

MANIFOLD = ("precision", "recall", "density", "coverage")

Measured = dict[str, tuple[float | None, float | None, str | None]]
"""Measure to value, standard deviation, and the reason why there is none."""


def measure(view: FeatureExtractor, generated: np.ndarray, real: np.ndarray, seed: int | None = None) -> Measured:
    """Every measure that a view has, of equally many generated and real images.

    Arguments as `measure_distances`.

    Returns:
        ``fd``, ``kd`` and `MANIFOLD` of a view of features; ``swd`` of one of patches.
    """
    out = measure_distances(view, generated, real, seed)
    if view.kind == "patches":
        return out
    n, k = min(len(generated), len(real)), manifold.NEIGHBOURS
    if n // 2 <= k:
        why = f"{n} images are too few for {k} nearest neighbours in halves of them"
        return out | dict.fromkeys(MANIFOLD, (None, None, why))
    rr, gg, rg = (manifold.pairwise(*p) for p in ((real, real), (generated, generated), (real, generated)))

    def each(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        own, cross = rr[np.ix_(j, j)], rg[np.ix_(j, i)]
        both = manifold.from_distances(own, gg[np.ix_(i, i)], cross)
        return np.array([*both, *manifold.density_coverage(own, cross)])

    values, spreads = _halves(each, len(generated), len(real), seed)
    for place, name in enumerate(MANIFOLD):
        out[name] = float(values[place]), None if spreads is None else float(spreads[place]), None
    return out


def measure_distances(
    view: FeatureExtractor, generated: np.ndarray, real: np.ndarray, seed: int | None = None
) -> Measured:
    """The distances that a view has, of equally many generated and real images.

    A spread is the standard deviation of the measure over random halves of both sets, drawn without replacement: with
    half of the images left out, the deviation among halves is that of the whole sample about the truth (delete-d
    jackknife, d = N / 2). A bootstrap would repeat images, which Fréchet distance, precision and recall take for a lack
    of variety. Near the floor the distances are degenerate and halves vary up to twice too much: an interval there is wide.

    Args:
        view: whose features these are.
        generated: (N, D) features.
        real: (N, D) features.
        seed: of the halves; None for no spreads.

    Returns:
        ``fd`` and ``kd`` of a view of features; ``swd`` of one of patches.

    References:
        Shao & Wu, "A General Theory for Jackknife Variance Estimation", 1989; Politis & Romano, 1994.
    """
    n = min(len(generated), len(real))
    if view.kind == "patches":
        if not n:
            return {"swd": (None, None, "no images")}
        a, b = (x.reshape(len(x), -1, view.width) for x in (generated, real))

        def sliced(i: np.ndarray, j: np.ndarray) -> float:
            return distances.sliced_wasserstein(a[i].reshape(-1, view.width), b[j].reshape(-1, view.width))

        # Sorting every patch again is the dear part, and a deviation needs no more than a few.
        return {"swd": _spread(sliced, len(a), len(b), seed, HALVES // 3)}
    if n < 4:
        why = f"{n} images are too few for a distance; 4 are needed"
        return {"fd": (None, None, why), "kd": (None, None, why)}
    out: Measured = {}
    reason = distances.frechet_reason(n, generated.shape[1])
    if reason:
        out["fd"] = (None, None, reason)
    else:
        # Halves too small for their covariance give a value without an interval.
        own = seed if distances.frechet_reason(n // 2, generated.shape[1]) is None else None
        out["fd"] = _spread(lambda i, j: distances.frechet(generated[i], real[j]), len(generated), len(real), own)
    out["kd"] = kernel(generated, real, seed)
    return out


def kernel(
    generated: np.ndarray, real: np.ndarray, seed: int | None = None
) -> tuple[float | None, float | None, str | None]:
    """The kernel distance alone, as `measure` gives it; for classes."""
    gg, rr, gr = (distances.gram(*p) for p in ((generated, generated), (real, real), (generated, real)))
    return _spread(
        lambda i, j: distances.mmd2(gg[np.ix_(i, i)], rr[np.ix_(j, j)], gr[np.ix_(i, j)]),
        len(generated),
        len(real),
        seed,
    )


def proportional(counts: np.ndarray, n: int) -> np.ndarray:
    """Whole numbers that add up to `n` in the proportion of `counts` (largest remainders; none above its count)."""
    counts = np.asarray(counts)
    quota = counts * min(n, counts.sum()) / max(counts.sum(), 1)
    whole = np.floor(quota + 1e-9).astype(np.int64)
    rest = np.argsort(whole - quota, kind="stable")[: min(n, counts.sum()) - whole.sum()]
    whole[rest] += 1
    return whole


def labels_like(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """(n,) int64 class indices in the proportions of `labels`, shuffled: what to generate for a comparison over all."""
    counts = np.bincount(labels)
    times = -(-n // max(len(labels), 1))  # more than there are: the proportions of that many copies
    drawn = np.repeat(np.arange(len(counts)), proportional(counts * times, n))
    return np.random.default_rng(seed).permutation(drawn)


def _spread(
    value: Callable[[np.ndarray, np.ndarray], float], n: int, m: int, seed: int | None, halves: int = HALVES
) -> tuple[float | None, float | None, str | None]:
    """A measure with the spread of one number."""
    whole, spread = _halves(lambda i, j: np.array(value(i, j)), n, m, seed, halves)
    return float(whole), None if spread is None else float(spread), None


def _halves(
    value: Callable[[np.ndarray, np.ndarray], np.ndarray], n: int, m: int, seed: int | None, halves: int = HALVES
) -> tuple[np.ndarray, np.ndarray | None]:
    """A measure of the rows `i` of one set and `j` of the other: of all rows, and its deviation over halves."""
    whole = value(np.arange(n), np.arange(m))
    if seed is None:
        return whole, None
    rng = np.random.default_rng(seed)
    values = [value(rng.permutation(n)[: n // 2], rng.permutation(m)[: m // 2]) for _ in range(halves)]
    return whole, np.std(values, axis=0, ddof=1)


def halves_of_means(values: np.ndarray, seed: int) -> tuple[float, float]:
    """The mean of values (N,), one an image or a pair, and its standard deviation by random halves."""
    whole, spread, _ = _spread(lambda i, j: float(values[i].mean()), len(values), 1, seed)
    return float(whole or 0.0), float(spread or 0.0)
