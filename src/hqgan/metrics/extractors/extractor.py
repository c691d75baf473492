"""What a feature extractor is: a fixed map from images to features."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

RECIPE = "2"
"""Version of all that shapes the extractors that are fitted here; raise it with any change of their files."""

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class FeatureExtractor:
    """A backbone and a projection of what it gives.

    Attributes:
        name: as keys of metrics have it.
        hash: hex SHA-256 of the weights, the fitted constants and the recipe's version.
        kind: ``features``, a vector for each image; or ``patches``, a set of projected patches for each image.
        backbone: name of the backbone; extractors of one backbone share its outputs, see `extract`.
        outputs: the backbone, from uint8 images (N, S, S, 3) to (N, K) float32.
        project: from (N, K) to features (N, D) float32.
        width: values of one patch, where `kind` is ``patches``; else D.
    """

    name: str
    hash: str
    kind: Literal["features", "patches"]
    backbone: str
    outputs: Callable[[np.ndarray], np.ndarray]
    project: Callable[[np.ndarray], np.ndarray]
    width: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features (N, D) float32 of uint8 images (N, S, S, 3)."""
        return self.project(self.outputs(images))


def extract(extractors: Sequence[FeatureExtractor], images: np.ndarray) -> dict[str, np.ndarray]:
    """Features by extractor's name; a backbone that several share runs once."""
    outputs: dict[str, np.ndarray] = {}
    for extractor in extractors:
        if extractor.backbone not in outputs:
            outputs[extractor.backbone] = extractor.outputs(images)
    return {extractor.name: extractor.project(outputs[extractor.backbone]) for extractor in extractors}


def hash_of(tensors: dict[str, np.ndarray]) -> str:
    """Hex SHA-256 of tensors and the recipe's version."""
    digest = hashlib.sha256(RECIPE.encode())
    for key in sorted(tensors):
        digest.update(key.encode() + tensors[key].tobytes())
    return digest.hexdigest()
