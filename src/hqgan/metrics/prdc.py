"""Precision, recall, density and coverage: whether generated images are among real ones, and cover them."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 5
"""k of the k-nearest-neighbour balls. The paper takes 3 of 50,000 images; at about 1,000, 5 is the less noisy choice."""


def pairwise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (N, M) float64 of features (N, D) and (M, D)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
    return np.maximum(squared, 0.0, out=squared)


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Improved precision and recall of generated against real features.

    Precision is the share of *generated* images inside the manifold of the *real* ones (quality); recall the share of
    *real* images inside the manifold of the *generated* ones (variety). A manifold is the union of balls, one about each
    image, that reach to its k-th nearest neighbour in its own set.

    Args:
        real: (N, D) features.
        generated: (M, D) features; equal sizes keep the two comparable.
        k: neighbours, itself not counted.

    Returns:
        Precision and recall, both in [0, 1].

    References:
        Kynkäänniemi et al., "Improved Precision and Recall Metric", 2019, eq. 1-2 (arXiv 1904.06991).
    """
    return from_distances(pairwise(real, real), pairwise(generated, generated), pairwise(real, generated), k)


def from_distances(
    real: np.ndarray, generated: np.ndarray, cross: np.ndarray, k: int = NEIGHBOURS
) -> tuple[float, float]:
    """The same from squared distances: real (N, N), generated (M, M), real to generated (N, M)."""
    if min(len(real), len(generated)) <= k:
        raise ValueError(f"{min(cross.shape)} images are too few for {k} nearest neighbours")
    reach_real = np.partition(real, k, axis=1)[:, k]  # index 0 is the image itself, at distance 0
    reach_generated = np.partition(generated, k, axis=1)[:, k]
    precision = (cross <= reach_real[:, None]).any(0).mean()
    recall = (cross <= reach_generated[None]).any(1).mean()
    return float(precision), float(recall)


def density_coverage(real: np.ndarray, cross: np.ndarray, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Density and coverage from squared distances.

    Density is the mean number of real balls, each about a real image and reaching to its k-th nearest real neighbour, that a
    generated image lies in, over k; unlike precision it is not fooled by one outlier's large ball, and it can exceed 1.
    Coverage is the share of real images whose ball holds a generated image.

    Args:
        real: (N, N) distances among real images.
        cross: (N, M) distances from real to generated images.
        k: neighbours, itself not counted.

    Returns:
        Density, 0 or more, about 1 for real images; coverage, in [0, 1].

    References:
        Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, eq. 3-4 (arXiv 2002.09797).
    """
    if len(real) <= k:
        raise ValueError(f"{len(real)} images are too few for {k} nearest neighbours")
    reach = np.partition(real, k, axis=1)[:, k]
    inside = cross <= reach[:, None]
    return float(inside.sum(0).mean() / k), float(inside.any(1).mean())


def depth(real: np.ndarray, generated: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Depth (M,) of each generated image among real ones: a larger value is deeper.

    The number of real balls of `density_coverage` that it lies in; among equals, the nearer to a real image the deeper, by
    less than one ball. With k real images or fewer the balls reach to the farthest.
    """
    k = min(k, len(real) - 1)
    reach = np.partition(pairwise(real, real), k, axis=1)[:, k]
    cross = pairwise(real, generated)
    nearest = cross.min(0)
    return (cross <= reach[:, None]).sum(0) + 1 / (1 + nearest)
