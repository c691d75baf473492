"""Images of a class and seed, interpolations between two of them, and a zip file of them."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import torch

from hqgan.io.images import png
from hqgan.run.folder import last_evaluation
from hqgan.sampling.generate import MANIFEST, manifest_of
from hqgan.sampling.images import BATCH, images_of_noise, latent_seed, noise_of, numbered
from hqgan.sampling.load import Loaded
from hqgan.sampling.model_card import model_card
from hqgan.serve.runs import Served


def noise(loaded: Loaded, name: str, seed: int, count: int, truncation: float) -> torch.Tensor:
    """Noise (count, noise_size) of the first images that `hqgan generate --seed SEED` makes of a class, scaled.

    Args:
        loaded: the generator.
        name: the class.
        seed: of the call.
        count: images.
        truncation: factor that the noise is multiplied by; 1 gives the images of `hqgan generate`. Smaller values move
            images towards the centre of the class: more typical, less varied. The scaling is StyleGAN's truncation (Karras
            et al., 2019, appendix B, arXiv 1812.04948), here applied to the noise, whose centre is 0; BigGAN's trick (arXiv
            1809.11096, section 3.1) resamples values outside a bound. A generator that normalises its noise,
            `stylegan2-ada`, does not follow.
    """
    rows = noise_of([latent_seed(seed, name, i) for i in range(count)], loaded.generator.noise_size)
    return rows * truncation


def images(loaded: Loaded, name: str, rows: torch.Tensor) -> np.ndarray:
    """uint8 images (N, S, S, 3), N up to 64, of a class and noise (N, noise_size)."""
    assert len(rows) <= BATCH
    return images_of_noise(loaded.generator, [loaded.classes.index(name)] * len(rows), rows)


def between(first: torch.Tensor, second: torch.Tensor, frames: int) -> torch.Tensor:
    """Spherical interpolation (frames, noise_size) from one noise vector to another, both ends included.

    It keeps the length of the vectors, which a straight line would not (White, 2016, arXiv 1609.04468).
    """
    position = torch.linspace(0, 1, frames)[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=0).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if angle.sin() < 1e-6:  # the same vector, or its opposite: no arc is the shortest
        return (1 - position) * first + position * second
    return ((1 - position) * angle).sin() / angle.sin() * first + (position * angle).sin() / angle.sin() * second


def archive(served: Served, name: str, seed: int, count: int, truncation: float) -> bytes:
    """A zip of images as `hqgan generate` writes them, with manifest and model card; equal calls give equal bytes.

    The manifest has one column more than that of `hqgan generate`: ``truncation``.
    """
    loaded = served.generator()
    made = images(loaded, name, noise(loaded, name, seed, count, truncation))
    rows = numbered([name], {name: count}, seed)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as whole:
        for (file, _, _), image in zip(rows, made, strict=True):
            whole.writestr(zipfile.ZipInfo(file), png(image))
        whole.writestr(zipfile.ZipInfo(MANIFEST), manifest_of(rows, loaded, seed, truncation=truncation))
        whole.writestr(zipfile.ZipInfo("MODEL_CARD.md"), model_card(loaded, last_evaluation(served.folder)))
    return stream.getvalue()
