"""Poisson sampling of lesions, as the accounting of differential privacy assumes it (arXiv 1607.00133)."""

from __future__ import annotations

import numpy as np


class PoissonSampler:
    """Samples in which each lesion is included with the same probability, independently of the others, by one of its images.

    A sample's size varies; it may be empty.

    Args:
        groups: (N,) str or numbers, the lesion (or patient) of each image.
        expected: average number of lesions in a sample.
    """

    def __init__(self, groups: np.ndarray, expected: int) -> None:
        _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        self.lesions = len(sizes)
        if not 0 < expected < self.lesions:
            raise ValueError(
                f"{expected} of {self.lesions} lesions cannot be drawn on average: take a number between 0 and {self.lesions}"
            )
        self.rate = expected / self.lesions
        # Images sorted by lesion: those of lesion g are at first[g], ..., first[g] + sizes[g] - 1.
        self._order, self._sizes = np.argsort(number, kind="stable"), sizes
        self._first = np.cumsum(sizes) - sizes

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Indices (n,) int64 of images, one for each lesion that was drawn."""
        drawn = np.flatnonzero(rng.random(self.lesions) < self.rate)
        image = (rng.random(len(drawn)) * self._sizes[drawn]).astype(np.int64)
        return self._order[self._first[drawn] + image]
