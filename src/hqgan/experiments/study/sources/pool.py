"""Pools of generated images, and what is known about the source of each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


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
class Pool:
    """Generated images of one source and seed, class by class, in the order in which they are used.

    Attributes:
        images: (N, S, S, 3) uint8.
        labels: (N,) int64.
        about: the source.
    """

    images: np.ndarray
    labels: np.ndarray
    about: SourceInfo


def read_source(path: Path) -> SourceInfo:
    """The description of a source that was written as JSON."""
    return SourceInfo(**json.loads(path.read_text()))


def source_json(about: SourceInfo) -> bytes:
    """The description of a source as JSON."""
    return (json.dumps(asdict(about), indent=1) + "\n").encode()


def save(pool: Pool, stem: Path) -> None:
    """Write a pool as ``STEM.npy``, ``STEM-labels.npy`` and ``STEM.json``, the last one last."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    np.save(stem.with_name(stem.name + ".npy"), pool.images)
    np.save(stem.with_name(stem.name + "-labels.npy"), pool.labels)
    stem.with_name(stem.name + ".json").write_bytes(source_json(pool.about))


def open_pool(stem: Path) -> Pool:
    """A pool that `save` wrote, its images as a memory map."""
    about = read_source(stem.with_name(stem.name + ".json"))
    images = np.load(stem.with_name(stem.name + ".npy"), mmap_mode="r", allow_pickle=False)
    return Pool(images, np.load(stem.with_name(stem.name + "-labels.npy"), allow_pickle=False), about)
