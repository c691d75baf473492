"""The real training image that a generated one lies nearest to, by the audit's own distances and rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hqgan.evaluation.copying_evidence import Closest, closest, neutral_features
from hqgan.types import ImageData


@dataclass(frozen=True)
class Near:
    """A generated image's nearest training image.

    Attributes:
        image: (S, S, 3) uint8.
        name: its class.
        grey_levels: how far it is, root mean square over pixels and colours, of 255.
        closest: what the audit says of the pair.
    """

    image: np.ndarray
    name: str
    grey_levels: float
    closest: Closest


@dataclass(frozen=True)
class RealImages:
    """The images that a run was trained on.

    Attributes:
        data: all of them.
        train: rows of the training part; no other is ever shown.
    """

    data: ImageData
    train: np.ndarray

    @cached_property
    def _features(self) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        return neutral_features(self.data)

    def nearest(self, images: np.ndarray) -> list[Near]:
        """Of each generated image (N, S, S, 3) uint8. The first call looks at every real image."""
        real, look = self._features
        spaces = {
            "pixels": (self.data.images.reshape(len(self.data), -1), images.reshape(len(images), -1)),
            "features": (real, look(images)),
        }
        found = []
        for image, pair in zip(images, closest(self.data, self.train, images, spaces), strict=True):
            other = np.asarray(self.data.images[pair.row])
            apart = float(np.sqrt(np.square(image.astype(np.float64) - other).mean()))
            found.append(Near(other, self.data.classes[int(self.data.labels[pair.row])], apart, pair))
        return found
