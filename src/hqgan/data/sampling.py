"""The images of each training step, as a pure function of seed and step, so that resuming needs no saved state.

For differential privacy, lesions by Poisson sampling, as its accounting assumes it (arXiv 1607.00133).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


class BatchSampler:
    """The order in which training images are drawn.

    Unbalanced, each epoch is a new permutation of all images. Balanced, the classes are permuted, so that each is drawn
    equally often, and within a class its images are permuted, so that none is repeated before all have been drawn.

    Args:
        labels: (N,) int class indices of the images to draw from.
        batch: images per step.
        seed: equal seeds give equal orders.
        balanced: draw classes equally often, instead of images equally often.
    """

    def __init__(self, labels: np.ndarray, batch: int, seed: int, balanced: bool = False) -> None:
        if len(labels) == 0 or batch < 1:
            raise ValueError("a sampler needs at least one image and a batch of at least one")
        self.batch_size = batch
        self.balanced = balanced
        self._size = len(labels)
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        # The order of the images is kept, or the orders within the classes; for a million images each takes 8 MB.
        self._epoch = lru_cache(maxsize=2 * len(self._members) if balanced else 1)(_permutation)
        self._block = lru_cache(maxsize=1)(_permutation)
        self._seed = seed

    def batch(self, step: int) -> np.ndarray:
        """Indices (batch,) int64 into the labels, for step 0, 1, 2 and so on."""
        positions = range(step * self.batch_size, (step + 1) * self.batch_size)
        pick = self._one_balanced if self.balanced else self._one
        return np.array([pick(position) for position in positions], np.int64)

    def _one(self, position: int) -> int:
        epoch, place = divmod(position, self._size)
        return self._epoch(self._size, self._seed, 0, epoch)[place]

    def _one_balanced(self, position: int) -> int:
        # Each block of K positions holds every class once, so a class's k-th image comes in block k.
        block, place = divmod(position, len(self._members))
        chosen = self._block(len(self._members), self._seed, 1, block)[place]
        members = self._members[chosen]
        epoch, within = divmod(block, len(members))
        return members[self._epoch(len(members), self._seed, 2 + chosen, epoch)[within]]


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


def augment_dihedral(images: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Rotate and mirror each image in one of the eight ways of a square; dermatoscopic images have no upright direction.

    Args:
        images: (B, S, S, 3), any type; not changed.
        ways: (B, 2) quarter turns, and 1 where the image is then mirrored, as `dihedral_ways` draws them.
    """
    result = np.empty_like(images)
    for i, (image, (turns, mirrored)) in enumerate(zip(images, ways, strict=True)):
        turned = np.rot90(image, turns)
        result[i] = turned[:, ::-1] if mirrored else turned
    return result


def dihedral_ways(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random quarter turns (0 to 3) and mirrorings (0 or 1), (count, 2) int64."""
    return np.stack([rng.integers(4, size=count), rng.integers(2, size=count)], 1)


def _permutation(count: int, *key: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(key)).permutation(count)
