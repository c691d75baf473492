"""`laplacian`: no network, but 7x7 patches of a Laplacian pyramid along fixed directions, for sliced Wasserstein distance.

References:
    Karras et al., "Progressive Growing of GANs", 2018, section 5 (arXiv 1710.10196).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from hqgan.io.images import to_float
from hqgan.metrics.extractors.extractor import FeatureExtractor, hash_of
from hqgan.metrics.extractors.networks import TrainingImages, in_batches

_SEED = 2718
_PATCHES, _PATCH, _LEVELS, _DIRECTIONS = 16, 7, 3, 64


def fit(training: TrainingImages) -> dict[str, np.ndarray]:
    """Directions, and mean and deviation of each level and colour over training images.

    The original standardises each set by its own mean and deviation and so cannot see brightness; here both sets are
    standardised as the training images are.
    """
    rng = np.random.default_rng(_SEED)
    directions = rng.standard_normal((_LEVELS, 3 * _PATCH**2, _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    levels = _pyramid(training.clean)
    return {
        "laplacian/directions": directions.astype(np.float32),
        "laplacian/mean": np.stack([level.mean((0, 2, 3)).numpy() for level in levels]),
        "laplacian/deviation": np.stack([level.std((0, 2, 3)).numpy() + 1e-6 for level in levels]),
    }


def build(tensors: dict[str, np.ndarray]) -> list[FeatureExtractor]:
    """The extractor from what `fit` gave."""
    name = "laplacian"
    constants = {key: value for key, value in tensors.items() if key.startswith(f"{name}/")}

    def outputs(images: np.ndarray) -> np.ndarray:
        return in_batches(lambda part: _projected_patches(part, constants), 256, images)

    width = _LEVELS * _DIRECTIONS
    return [FeatureExtractor(name, hash_of(constants), "patches", name, outputs, lambda projected: projected, width)]


def _pyramid(images: np.ndarray) -> list[torch.Tensor]:
    """Laplacian levels of uint8 images, finest first, the last one the small image itself; float32 (N, 3, s, s)."""
    x, levels = to_float(images), []
    for _ in range(_LEVELS - 1):
        small = F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
        levels.append(x - F.interpolate(small, scale_factor=2, mode="bilinear"))
        x = small
    return [*levels, x]


def _projected_patches(images: np.ndarray, constants: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 16 * 3 * 64): 16 patches a level, at places fixed once, along 64 directions a level."""
    values = []
    for k, level in enumerate(_pyramid(images)):
        rng = np.random.default_rng([_SEED, k])
        tops, lefts = rng.integers(0, level.shape[-1] - _PATCH + 1, (2, _PATCHES))
        mean, deviation = constants["laplacian/mean"][k], constants["laplacian/deviation"][k]
        scaled = (level.numpy() - mean[:, None, None]) / deviation[:, None, None]
        patches = [scaled[:, :, t : t + _PATCH, u : u + _PATCH] for t, u in zip(tops, lefts, strict=True)]
        flat = np.stack(patches, 1).reshape(len(scaled), _PATCHES, -1)
        values.append(flat @ constants["laplacian/directions"][k])
    return np.concatenate(values, 2).reshape(len(images), -1)
