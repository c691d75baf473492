"""Generated images of a run that was trained on the training part of the seed's split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hqgan.experiments.splits import check_run
from hqgan.experiments.study.sources.pool import Pool, SourceInfo
from hqgan.sampling.images import latent_seed, make_images
from hqgan.sampling.load import load
from hqgan.types import ImageData, Split


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
    numbers = np.concatenate([np.arange(k) for k in sizes])
    seeds = [latent_seed(seed, data.classes[c], int(i)) for c, i in zip(labels, numbers, strict=True)]
    images = np.stack(list(make_images(loaded.generator, labels.tolist(), seeds)))
    parameters = sum(p.numel() for p in loaded.generator.parameters())
    shown = int(loaded.values["images"])
    about = SourceInfo(
        name,
        loaded.checkpoint_hash,
        parameters,
        shown,
        shown / len(split.train),
        verified=True,
        private=loaded.config.private,
    )
    return Pool(images, labels, about)
