"""Graded corruptions of real images, from mild to full strength, to check feature extractors with.

Strengths are for 64-pixel images; lengths in pixels grow with the image.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

REPEATED = 50
"""Distinct images that the repeats are drawn from, as by a generator that has memorised 50 images."""


def blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; `sigma` in pixels of a 64-pixel image."""
    from scipy.ndimage import gaussian_filter

    scaled = sigma * images.shape[1] / 64
    return _bytes(gaussian_filter(images.astype(np.float32), (0, scaled, scaled, 0), mode="nearest"))


def noise(images: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Gaussian noise on each pixel and channel; `sigma` in levels of 255."""
    rng = np.random.default_rng(seed)
    return _bytes(images + np.float32(sigma) * rng.standard_normal(images.shape, np.float32))


def darken(images: np.ndarray, share: float) -> np.ndarray:
    """Reduce the brightness by a share, 0 to 1."""
    return _bytes(images * np.float32(1 - share))


def turn_hue(images: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate all colours about the grey axis; values out of range are clipped."""
    return _bytes(images.astype(np.float32) @ hue_matrix(degrees).T)


def hue_matrix(degrees: float) -> np.ndarray:
    """(3, 3) float32 rotation of RGB about the grey axis (Rodrigues' formula)."""
    angle = np.deg2rad(degrees)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    matrix = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3
    return matrix.astype(np.float32)


def jpeg(images: np.ndarray, quality: int) -> np.ndarray:
    """Compress by JPEG at `quality`, 1 to 95, with its usual halved colour resolution."""
    from PIL import Image

    out = np.empty_like(images)
    for i, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
        out[i] = np.asarray(Image.open(buffer).convert("RGB"))
    return out


def repeat(images: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Replace a share of the images, 0 to 1, by repeats of `REPEATED` of them."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    source, replaced = order[:REPEATED], order[: round(share * len(images))]
    out = images.copy()
    out[replaced] = images[source[np.arange(len(replaced)) % len(source)]]
    return out


def swap_labels(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Permute a share of the labels, 0 to 1, among themselves, so that every class keeps its count."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(labels))[: round(share * len(labels))]
    out = labels.copy()
    out[chosen] = labels[rng.permutation(chosen)]
    return out


def droppable(labels: np.ndarray) -> list[int]:
    """The classes to drop, in order: the largest but the very largest, at most three, leaving at least one."""
    counts = np.bincount(labels)
    order = [int(c) for c in np.argsort(-counts, kind="stable") if counts[c]]
    return order[1:4] if len(order) > 2 else order[1:2]


PIXELS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], tuple[float, ...]]] = {
    "blur": (blur, (0.5, 1, 2, 4)),
    "noise": (lambda images, sigma: noise(images, sigma, seed=0), (4, 8, 16, 32)),
    "brightness": (darken, (0.1, 0.2, 0.3, 0.4)),
    "hue": (turn_hue, (10, 20, 40, 80)),
    "jpeg": (lambda images, quality: jpeg(images, int(quality)), (50, 25, 10, 5)),
}
"""Corruptions of single images, each with its strengths from mild to full."""

REPEATS = (0.25, 0.5, 0.75, 1.0)
SWAPS = (0.25, 0.5, 0.75, 1.0)
GAUSSIAN = (128, 64, 32, 8)
"""Components of the PCA-Gaussian, the simple baseline first; fewer are worse."""


def _bytes(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)
