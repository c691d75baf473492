"""Where generated images come from: a run, a folder of images, or the PCA-Gaussian; one seed's split each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.data import load_split
from hqgan.errors import UserError
from hqgan.evaluation.evaluate import read_folder
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.sampling.generate import latent_seed, make_images
from hqgan.sampling.load import load
from hqgan.types import ImageData, Split
from hqgan.wording import listed

GAUSSIAN = "pca-gaussian"


@dataclass(frozen=True)
class Pool:
    """Generated images of one source and seed, class by class, in the order in which they are used.

    Attributes:
        images: (N, S, S, 3) uint8.
        labels: (N,) int64.
        about: name, `sha256` of what made them, parameters, epochs, `verified` (known to be trained on the training part only).
    """

    images: np.ndarray
    labels: np.ndarray
    about: dict[str, Any]


def check_run(path: Path, data: ImageData, split: Split) -> None:
    """Refuse a run that was not trained on exactly the training part of `split`.

    Raises:
        UserError: other data, or another split; a split that leaks.
    """
    loaded = load(path)
    # A private run keeps no fingerprint, but its split says what it was trained on.
    if not loaded.config.private and loaded.values["data"]["fingerprint"] != data.fingerprint:
        raise UserError(f"{path} was trained on other data than this study's; leave it out.")
    own = load_split(loaded.path.parent.parent / "split.json", data)
    if set(own.train.tolist()) != set(split.train.tolist()):
        seen = len(set(own.train.tolist()) & set(split.test.tolist()))
        raise UserError(
            f"{path} was trained on another split than the study's (data seed {loaded.config.data.seed}, fraction "
            f"{loaded.config.data.fraction:g}; it has seen {seen} of the test images); give a run with the study's seed, "
            "or leave it out and let the study train one."
        )


def from_run(name: str, path: Path, sizes: np.ndarray, data: ImageData, split: Split, seed: int) -> Pool:
    """Images by a run's averaged generator, numbered as `hqgan generate --seed SEED` numbers them."""
    check_run(path, data, split)
    loaded = load(path)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    numbers = np.concatenate([np.arange(k) for k in sizes])
    seeds = [latent_seed(seed, data.classes[c], int(i)) for c, i in zip(labels, numbers, strict=True)]
    images = np.stack(list(make_images(loaded.generator, labels.tolist(), seeds)))
    parameters = sum(p.numel() for p in loaded.generator.parameters())
    shown = int(loaded.values["images"])
    return Pool(
        images,
        labels,
        {
            "name": name,
            "sha256": loaded.checkpoint_hash,
            "parameters": parameters,
            "images_shown": shown,
            "epochs": shown / len(split.train),
            "verified": True,
            "private": loaded.config.private,
        },
    )


def from_folder(name: str, path: Path, sizes: np.ndarray, data: ImageData, rare: Sequence[int]) -> Pool:
    """Images as they lie in ``path/<class>/``, as many as there are up to `sizes`; unverified.

    Raises:
        UserError: none of a class that is to be filled.
    """
    images, labels, _ = read_folder(path, data)
    if lacking := [data.classes[c] for c in rare if not (labels == c).any()]:
        raise UserError(
            f"{path} has no image of {listed(lacking)}, which this study fills; add some, or choose --fill."
        )
    kept = np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(sizes)]).astype(np.int64)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    about = {
        "name": name,
        "sha256": digest,
        "parameters": None,
        "images_shown": None,
        "epochs": None,
        "verified": False,
    }
    return Pool(images[kept], labels[kept], about)


def from_gaussian(sizes: np.ndarray, data: ImageData, split: Split, seed: int) -> Pool:
    """Images of the class-conditional PCA-Gaussian fitted to the training part."""
    sampler = fit_pca_gaussian(data.images[split.train], data.labels[split.train], len(data.classes))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    arrays = (sampler.mean, sampler.components, sampler.means, sampler.roots)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
    about = {
        "name": GAUSSIAN,
        "sha256": digest,
        "parameters": int(sum(a.size for a in arrays)),
        "images_shown": len(split.train),
        "epochs": 1.0,
        "verified": True,
    }
    return Pool(sampler.sample(labels, seed), labels, about)


def save(pool: Pool, stem: Path) -> None:
    """Write a pool as ``STEM.npy``, ``STEM-labels.npy`` and ``STEM.json``, the last one last."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    np.save(stem.with_name(stem.name + ".npy"), pool.images)
    np.save(stem.with_name(stem.name + "-labels.npy"), pool.labels)
    stem.with_name(stem.name + ".json").write_text(json.dumps(pool.about, indent=1) + "\n")


def open_pool(stem: Path) -> Pool:
    """A pool that `save` wrote, its images as a memory map."""
    about = json.loads(stem.with_name(stem.name + ".json").read_text())
    images = np.load(stem.with_name(stem.name + ".npy"), mmap_mode="r", allow_pickle=False)
    return Pool(images, np.load(stem.with_name(stem.name + "-labels.npy"), allow_pickle=False), about)
