"""A picture of a finished run: real training images beside generated ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hqgan.errors import UserError
from hqgan.evaluation.real_images import data_of
from hqgan.io.images import labelled_rows, write_png
from hqgan.sampling.images import latent_seed, make_images
from hqgan.sampling.load import load


def draw_beside_real(run: Path, path: Path, columns: int = 5) -> None:
    """Write a picture of real training images of each class, left, and generated ones, right, of a finished run."""
    loaded = load(run)
    if loaded.config.private:
        raise UserError(f"{run} was trained privately: no picture shows real images beside its own; leave them away.")
    data, split = data_of(loaded, None)
    rows = []
    for label, name in enumerate(data.classes):
        real = data.images[split.train[data.labels[split.train] == label][:columns]]
        seeds = [latent_seed(0, name, i) for i in range(columns)]
        made = np.stack(list(make_images(loaded.generator, [label] * columns, seeds)))
        gap = np.full_like(made[:1], 255)
        rows.append((name, np.concatenate([real, gap, made])))
    title = f"left: {data.name} images of the training part; right: generated, {loaded.values['images']:,} images shown"
    write_png(path, labelled_rows(rows, scale=2, title=title))
