"""Pools of generated images, and what is known about the source of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqgan.types import LabelledImages


@dataclass(frozen=True)
class SourceInfo:
    """What is known about a source of images for one seed.

    Attributes:
        name: of the source.
        sha256: hex hash of what makes the images, or of the images themselves.
        parameters: of the generator; None if not known.
        images_shown: real images shown in training, repeats counted; None if not known.
        epochs: the same in passes over the training part; None if not known.
        verified: whether the source is known to have seen the training part only.
        private: whether it was trained with differential privacy.
    """

    name: str
    sha256: str
    parameters: int | None = None
    images_shown: int | None = None
    epochs: float | None = None
    verified: bool = False
    private: bool = False


@dataclass(frozen=True)
class Pool(LabelledImages):
    """Generated images of one source and seed, class by class, in the order in which they are used."""

    about: SourceInfo


def save(pool: Pool, folder: Path) -> None:
    """Write the images and labels of a pool."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", pool.images)
    np.save(folder / "labels.npy", pool.labels)


def open_pool(folder: Path) -> LabelledImages:
    """The images that `save` wrote, as a memory map, and their labels."""
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    return LabelledImages(images, np.load(folder / "labels.npy", allow_pickle=False))


def scores_file(folder: Path, use: str) -> Path:
    """Where the scores of a pool's images by a use's filter are stored while the study needs them."""
    return folder / f"{use}.npy"
