"""Finds the nearest real training image of a generated one, with the distances and the rule of the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hqgan.evaluation.copying_evidence import Closest, closest, neutral_features
from hqgan.types import ImageData


@dataclass(frozen=True)
class Near:
    """The nearest training image of a generated one.

    Attributes:
        image: (S, S, 3) uint8, the training image.
        name: its class.
        grey_levels: root mean square difference over pixels and channels, in grey levels from 0 to 255.
        closest: the result of the audit's rule for the pair.
    """

    image: np.ndarray
    name: str
    grey_levels: float
    closest: Closest


@dataclass(frozen=True)
class RealImages:
    """The images that a run was trained on.

    Attributes:
        data: the data set.
        train: rows of the training part; no other images are shown.
    """

    data: ImageData
    train: np.ndarray

    @cached_property
    def _features(self) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        return neutral_features(self.data)

    def nearest(self, images: np.ndarray) -> list[Near]:
        """The nearest training image of each generated one (N, S, S, 3) uint8. The first call computes all real features."""
        real, features_of = self._features
        spaces = {
            "pixels": (self.data.images.reshape(len(self.data), -1), images.reshape(len(images), -1)),
            "features": (real, features_of(images)),
        }
        found = []
        for image, pair in zip(images, closest(self.data, self.train, images, spaces), strict=True):
            other = np.asarray(self.data.images[pair.row])
            difference = float(np.sqrt(np.square(image.astype(np.float64) - other).mean()))
            found.append(Near(other, self.data.classes[int(self.data.labels[pair.row])], difference, pair))
        return found
