"""Precision, recall, density and coverage: whether generated images are among real ones, and cover them."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.distances import pairwise

NEIGHBOURS = 5
"""k of the k-nearest-neighbour balls. The paper takes 3 of 50,000 images; at about 1,000, 5 is the less noisy choice."""


def prdc(
    real: np.ndarray, generated: np.ndarray, cross: np.ndarray, k: int = NEIGHBOURS
) -> tuple[float, float, float, float]:
    """Improved precision and recall, density and coverage of generated against real images, from squared distances.

    A ball about an image reaches to its k-th nearest neighbour in its own set; a set's manifold is the union of its balls.
    Precision is the share of *generated* images inside the manifold of the *real* ones (quality); recall the share of *real*
    images inside the manifold of the *generated* ones (variety). Density is the mean number of real balls that a generated
    image lies in, over k; unlike precision it is not fooled by one outlier's large ball. Coverage is the share of real images
    whose ball holds a generated image.

    Args:
        real: (N, N) distances among real images.
        generated: (M, M) among generated ones; equal sizes keep precision and recall comparable.
        cross: (N, M) from real to generated images.
        k: neighbours, itself not counted.

    Returns:
        Precision and recall, both in [0, 1]; density, 0 or more, about 1 for real images; coverage, in [0, 1].

    References:
        Kynkäänniemi et al., "Improved Precision and Recall Metric", 2019, eq. 1-2 (arXiv 1904.06991); Naeem et al., "Reliable
        Fidelity and Diversity Metrics for Generative Models", 2020, eq. 3-4 (arXiv 2002.09797).
    """
    if min(cross.shape) <= k:
        raise ValueError(f"{min(cross.shape)} images are too few for {k} nearest neighbours")
    in_real, in_generated = cross <= _reach(real, k)[:, None], cross <= _reach(generated, k)[None]
    precision, recall = in_real.any(0).mean(), in_generated.any(1).mean()
    return float(precision), float(recall), float(in_real.sum(0).mean() / k), float(in_real.any(1).mean())


def _reach(distances: np.ndarray, k: int) -> np.ndarray:
    """Distance (N,) from each image to its k-th nearest neighbour, of distances (N, N)."""
    return np.partition(distances, k, axis=1)[:, k]  # index 0 is the image itself, at distance 0


def depth(real: np.ndarray, generated: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Depth (M,) of each generated image among real ones: a larger value is deeper.

    The number of real balls of `prdc` that it lies in; among equals, the nearer to a real image the deeper, by
    less than one ball. With k real images or fewer the balls reach to the farthest.
    """
    reach = _reach(pairwise(real, real), min(k, len(real) - 1))
    cross = pairwise(real, generated)
    return (cross <= reach[:, None]).sum(0) + 1 / (1 + cross.min(0))
