"""From latent seeds to images: the same seed, class and number give the same image, whatever the total number."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count, islice

import numpy as np
import torch

from hqgan.circuits.backends.registry import Watched
from hqgan.io.images import to_uint8
from hqgan.models.base import Generator
from hqgan.sampling.load import Loaded

BATCH = 64
"""Images made in one call. Every call has this many, so that an image does not depend on how many were asked for."""


def latent_seed(seed: int, name: str, index: int) -> int:
    """The seed of one image's noise: a function of the call's seed, the class's name and the image's number in it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()[:7], "little")


def noise_of(latent_seeds: Sequence[int], size: int) -> torch.Tensor:
    """Normal noise (B, size), each row from its own seed.

    By NumPy's generator, since torch's takes 32 bits of a seed on the CPU: among a million images some would be equal.
    """
    rows = np.empty((len(latent_seeds), size), np.float32)
    for row, seed in zip(rows, latent_seeds, strict=True):
        np.random.Generator(np.random.PCG64(seed)).standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(rows)


def numbered(
    classes: Sequence[str], counts: Mapping[str, int], seed: int, dropped: Collection[int] = ()
) -> list[tuple[str, str, int]]:
    """File, class and latent seed of each image of a call, class by class; images `dropped` leave their numbers free."""
    gone = frozenset(dropped)
    found = []
    for name in classes:
        latents = ((i, latent_seed(seed, name, i)) for i in count())
        kept = ((i, latent) for i, latent in latents if latent not in gone)
        found += [(f"{name}/{name}-{i:05d}.png", name, latent) for i, latent in islice(kept, counts.get(name, 0))]
    return found


def make_images(generator: Generator, labels: Sequence[int], latent_seeds: Sequence[int]) -> Iterator[np.ndarray]:
    """uint8 images (S, S, 3), one for each label and latent seed, in order; the generator in evaluation mode."""
    for start in range(0, len(labels), BATCH):
        noise = noise_of(latent_seeds[start : start + BATCH], generator.noise_size)
        yield from images_of_noise(generator, labels[start : start + BATCH], noise)


@torch.no_grad()
def images_of_noise(generator: Generator, labels: Sequence[int], noise: torch.Tensor) -> np.ndarray:
    """uint8 images (B, S, S, 3), up to `BATCH`, of labels (B) and noise (B, noise_size); the generator in evaluation mode."""
    device = next(generator.parameters()).device
    # Time on another backend is expensive, and its shots depend on the batch anyway.
    filler = 0 if watched_backend(generator) else BATCH - len(labels)
    whole = torch.cat([noise, noise_of([0] * filler, generator.noise_size)]).to(device)
    images = generator(whole, torch.tensor([*labels, *[0] * filler], device=device))
    return to_uint8(images)[: len(labels)]


def images_of(loaded: Loaded, made: Sequence[tuple[str, str, int]]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Labels (N,) int64, and an iterator of uint8 images (S, S, 3), for the images that `numbered` lists."""
    labels = np.array([loaded.classes.index(name) for _, name, _ in made], np.int64)
    return labels, make_images(loaded.generator, labels.tolist(), [latent for _, _, latent in made])


def matched_images(generator: Generator, classes: Sequence[str], labels: np.ndarray, seed: int) -> np.ndarray:
    """One uint8 image for each label, numbered by class as `hqgan generate` numbers them."""
    numbers = np.zeros(len(classes), np.int64)
    seeds = []
    for label in labels:
        seeds.append(latent_seed(seed, classes[label], int(numbers[label])))
        numbers[label] += 1
    return np.stack(list(make_images(generator, labels.tolist(), seeds)))


def watched_backend(generator: Generator) -> Watched | None:
    """The backend that `load.on_backend` put the generator's circuits on; None for the exact simulator."""
    backends = [circuit.backend for circuit in generator.circuits]
    return backends[0] if backends and isinstance(backends[0], Watched) else None
