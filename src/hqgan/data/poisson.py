"""Poisson samples of lesions, as the accounting of differential privacy assumes them."""

from __future__ import annotations

import numpy as np


class PoissonSampler:
    """Each lesion is in a sample with the same probability, independently of all others, and brings one image of its own.

    A sample's size varies; it may be empty.

    Args:
        groups: (N,) str or numbers, the lesion (or patient) of each image.
        expected: lesions in a sample on average.
    """

    def __init__(self, groups: np.ndarray, expected: int) -> None:
        _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        self.lesions = len(sizes)
        if not 0 < expected < self.lesions:
            raise ValueError(f"of {self.lesions} lesions none, or all, would be drawn each time")
        self.rate = expected / self.lesions
        # Images sorted by lesion: those of lesion g stand at first[g], ..., first[g] + sizes[g] - 1.
        self._order, self._sizes = np.argsort(number, kind="stable"), sizes
        self._first = np.cumsum(sizes) - sizes

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Indices (n,) int64 of images, one a drawn lesion."""
        drawn = np.flatnonzero(rng.random(self.lesions) < self.rate)
        view = (rng.random(len(drawn)) * self._sizes[drawn]).astype(np.int64)
        return self._order[self._first[drawn] + view]
