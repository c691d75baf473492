"""Where generated images come from: a trained run, a folder, or a simple model that the study fits itself.

To add such a model, write a function of the form `Fit` and add its row to `FITTED`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqgan.errors import UserError
from hqgan.experiments.splits import check_run
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.sampling.image_folder import read_folder
from hqgan.sampling.images import matched_images
from hqgan.sampling.load import load
from hqgan.types import ImageData, LabelledImages, Split
from hqgan.wording import listed


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


def _pca_gaussian(name: str, sizes: np.ndarray, data: ImageData, split: Split, seed: int) -> Pool:
    """The simple baseline: images of a Gaussian in the space of each class's principal components; see `Fit`."""
    sampler = fit_pca_gaussian(data.images[split.train], data.labels[split.train], len(data.classes))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    arrays = (sampler.mean, sampler.components, sampler.means, sampler.roots)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
    parameters = int(sum(a.size for a in arrays))
    about = SourceInfo(name, digest, parameters, len(split.train), 1.0, verified=True)
    return Pool(sampler.sample(labels, seed), labels, about)


Fit = Callable[[str, np.ndarray, ImageData, Split, int], Pool]
"""From the source's name, the images (C,) to make by class, the data, the split and the seed to a pool. It may use the training
part of the split only."""

GAUSSIAN = "pca-gaussian"

FITTED: dict[str, Fit] = {GAUSSIAN: _pca_gaussian}
"""Sources that are fitted to the training part in seconds, by name."""


def from_folder(name: str, path: Path, sizes: np.ndarray, data: ImageData, rare: Sequence[int]) -> Pool:
    """The first images of each class in ``path/<class>/``. Nothing shows which real images their generator has seen.

    Args:
        name: of the source.
        path: the folder.
        sizes: (C,) most images by class.
        data: the data set.
        rare: classes that have to be there.

    Raises:
        UserError: there is no image of a class that the study fills.
    """
    (images, labels), _ = read_folder(path, data)
    if lacking := [data.classes[c] for c in rare if not (labels == c).any()]:
        raise UserError(
            f"{path} has no image of {listed(lacking)}, which this study fills; add some, or choose `fill`."
        )
    kept = np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(sizes)]).astype(np.int64)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return Pool(images[kept], labels[kept], SourceInfo(name, digest))


def from_run(name: str, path: Path, sizes: np.ndarray, data: ImageData, split: Split, seed: int) -> Pool:
    """Images of a run's averaged generator, the same that `hqgan generate --seed SEED` makes.

    Args:
        name: of the source.
        path: folder of the run.
        sizes: (C,) images by class.
        data: the data set.
        split: its split.
        seed: of the images.

    Raises:
        UserError: the run was trained on other data or another split.
    """
    check_run(path, data, split)
    loaded = load(path)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parameters = sum(p.numel() for p in loaded.generator.parameters())
    shown = int(loaded.values["images"])
    epochs, private = shown / len(split.train), loaded.config.private
    about = SourceInfo(name, loaded.checkpoint_hash, parameters, shown, epochs, verified=True, private=private)
    return Pool(matched_images(loaded.generator, data.classes, labels, seed), labels, about)
