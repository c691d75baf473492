"""Distances between two sets of feature vectors, of all pairs, and of the sets: Fréchet, kernel (MMD) and sliced Wasserstein.

Plain numpy, float64.
"""

from __future__ import annotations

import numpy as np

Labelled = tuple[np.ndarray, np.ndarray]
"""Features (N, D), and the images' class indices (N,)."""


def pairwise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (N, M) float64 of features (N, D) and (M, D)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
    return np.maximum(squared, 0.0, out=squared)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features.

    ``|mu_a - mu_b|^2 + tr(S_a) + tr(S_b) - 2 tr((S_a^1/2 S_b S_a^1/2)^1/2)``, where the last trace is computed as the sum
    of singular values of ``S_a^1/2 S_b^1/2``: both roots are symmetric, so nothing can turn complex or lose half its digits
    as in the usual ``sqrtm(S_a S_b)``. The estimate is biased upwards by about ``1 / N``: compare at equal N only.

    Args:
        a: (N, D) features; N must be more than 2 D.
        b: (M, D) features; M must be more than 2 D.

    Returns:
        The squared distance, in squared feature units, 0 or more.

    Raises:
        ValueError: a set is too small for its covariance, or the dimensions differ.

    References:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, eq. 6 (arXiv 1706.08500); Dowson & Landau, 1982.
    """
    a, b = _pair(a, b)
    if min(len(a), len(b)) <= 2 * a.shape[1]:
        raise ValueError(frechet_reason(min(len(a), len(b)), a.shape[1]))
    mean_a, mean_b = a.mean(0), b.mean(0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cross = np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False).sum()
    distance = (
        ((mean_a - mean_b) ** 2).sum() + np.trace(np.atleast_2d(cov_a)) + np.trace(np.atleast_2d(cov_b)) - 2 * cross
    )
    return max(float(distance), 0.0)


def frechet_reason(n: int, dimension: int) -> str | None:
    """Why the Fréchet distance of `n` images in `dimension` features cannot be computed; None where it can."""
    if n > 2 * dimension:
        return None
    return (
        f"{n} images are too few for a Fréchet distance in {dimension} features; more than {2 * dimension} are needed"
    )


def gram(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Polynomial kernel ``(x . y / D + 1)^3`` of all pairs, (N, M) float64; features should be standardised.

    References:
        Binkowski et al., "Demystifying MMD GANs", 2018, section 4 (arXiv 1801.01401).
    """
    a, b = _pair(a, b)
    return (a @ b.T / a.shape[1] + 1.0) ** 3


def mmd2(kaa: np.ndarray, kbb: np.ndarray, kab: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of kernel matrices (N, N), (M, M) and (N, M); can be below 0.

    References:
        Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, eq. 3.
    """
    n, m = kab.shape
    within_a = (kaa.sum() - np.trace(kaa)) / (n * (n - 1))
    within_b = (kbb.sum() - np.trace(kbb)) / (m * (m - 1))
    return float(within_a + within_b - 2 * kab.mean())


def kernel(a: np.ndarray, b: np.ndarray) -> float:
    """Kernel distance: unbiased MMD^2 with KID's cubic polynomial kernel, over all pairs at once (no blocks).

    Being unbiased it needs no more than two images a side, and small classes can be compared; its noise shrinks with N.

    Args:
        a: (N, D) standardised features.
        b: (M, D) standardised features.

    Returns:
        MMD^2; around 0, also below it, for two samples of one distribution.

    References:
        Binkowski et al., 2018 (arXiv 1801.01401).
    """
    return mmd2(gram(a, a), gram(b, b), gram(a, b))


def sliced_wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over columns of the 1-D Wasserstein-1 distance: sliced Wasserstein of features that are projections already.

    Args:
        a: (N, R) values along R fixed directions.
        b: (M, R) likewise; with M other than N both are compared at min(N, M) quantiles.

    References:
        Rabin et al., 2011; as a metric of GANs: Karras et al., 2018, section 5 (arXiv 1710.10196).
    """
    n = min(len(a), len(b))
    return float(np.abs(_quantiles(a, n) - _quantiles(b, n)).mean(dtype=np.float64))


def _quantiles(values: np.ndarray, n: int) -> np.ndarray:
    """(R, n) sorted values of each column; thinned evenly where there are more than `n`."""
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
    if ordered.shape[1] == n:
        return ordered
    return ordered[:, ((np.arange(n) + 0.5) * ordered.shape[1] / n).astype(np.int64)]


def _root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric square root of a positive semi-definite matrix; rounding below 0 is cut off."""
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _pair(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (N, D) of one D."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be (N, D) and (M, D) of one D, not {a.shape} and {b.shape}")
    return a, b
