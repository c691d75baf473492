"""The few types that every part of the package shares. Imports nothing of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch


@dataclass(frozen=True)
class Batch:
    """Real or generated images with their classes.

    Attributes:
        images: (B, 3, H, W) float32 in [-1, 1].
        labels: (B,) int64 class indices.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class LabelledImages:
    """uint8 images with their classes, as metrics and classifiers take them; unpacks as (images, labels).

    Attributes:
        images: (N, S, S, 3) uint8.
        labels: (N,) int64 class indices.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.images, self.labels))

    def at(self, rows: np.ndarray) -> LabelledImages:
        """The images at `rows`, in their order."""
        return LabelledImages(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class ImageData:
    """A data set in memory order: decoded, resized, labelled.

    Attributes:
        name: what the layout was recognised as, e.g. ``ham10000``.
        classes: class names; a label is an index into them.
        images: (N, S, S, 3) uint8, usually a read-only memory map.
        labels: (N,) int64.
        groups: (N,) str; images of one group (lesion, patient) never stand on two sides of a split.
        group_of: (N,) int32; the same as numbers, by first appearance.
        files: (N,) str; where each image came from, relative to the data set's root.
        fingerprint: hex SHA-256 of content, size and classes; equal for equal data.
        licence: one line on what the publisher allows, or ``unknown``.
        skipped: (file, reason) of images that were left out as unreadable.
        sides: (N,) str, ``train``, ``validation`` or ``test``, where the publisher parted the images; else None.
        warning: what users of these data have to know; may be empty.
        ungrouped: (N,) bool, images whose lesion or patient is not known, though they may be grouped as near-duplicates of
            others; None where all are known.
        original: (N, 2) int32, width and height in pixels before an image became a square; None where they are not known.
    """

    name: str
    classes: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    group_of: np.ndarray
    files: np.ndarray
    fingerprint: str
    licence: str = "unknown"
    skipped: tuple[tuple[str, str], ...] = ()
    sides: np.ndarray | None = None
    warning: str = ""
    ungrouped: np.ndarray | None = None
    original: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        width, height = self.images.shape[2], self.images.shape[1]
        return (
            f"<ImageData: {self.name}, {len(self):,} images of {width} x {height} pixels, {len(self.classes)} classes>"
        )

    def at(self, rows: np.ndarray) -> LabelledImages:
        """The images at `rows` with their labels."""
        return LabelledImages(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Split:
    """Three disjoint, sorted int64 index arrays into an `ImageData`."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def __repr__(self) -> str:
        return f"<Split: {len(self.train):,} training, {len(self.validation):,} validation, {len(self.test):,} test images>"


UNCOVERED = (
    "What was trained privately spent an epsilon of its own in every run, and they add up. What stands here looks at real "
    "images, which no epsilon covers."
)
"""Shown beside measurements of privately trained models on real images (docs/privacy.md)."""


class Backend(Protocol):
    """A function that runs circuits."""

    def __call__(self, ansatz: Any, angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Readout (B, k, M) of encoding angles (B, k, n) and weights (k, L, n, R), all in radians."""
        ...
