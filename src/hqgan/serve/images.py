"""Images of a class and seed: interpolated, with their circuits, computed on another backend, and as a zip file."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from hqgan.circuits.analysis.drawing import draw, drawn
from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.registry import Watched, backend_of
from hqgan.errors import UserError
from hqgan.io.images import png
from hqgan.run.folder import last_evaluation
from hqgan.sampling.generate import MANIFEST, manifest_of
from hqgan.sampling.images import BATCH, images_of_noise, latent_seed, noise_of, numbered
from hqgan.sampling.load import Loaded, on_backend
from hqgan.sampling.model_card import model_card
from hqgan.serve.limits import MOST_QUBITS
from hqgan.serve.runs import Served

BACKENDS = {
    "statevector": "exact simulator",
    "aer": "shots, no noise",
    "fake:brisbane": "IBM Brisbane, simulated",
    "fake:torino": "IBM Torino, simulated",
}
"""Backends that the page offers, with their labels; the fake ones are noise models of real IBM machines."""


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


@dataclass(frozen=True)
class OnBackend:
    """One image computed on another backend.

    Attributes:
        image: (S, S, 3) uint8.
        mean: mean absolute difference of the readouts from those of the exact simulator.
        largest: the largest of these differences.
        grey_levels: mean absolute difference of the images, in grey levels from 0 to 255.
    """

    image: np.ndarray
    mean: float
    largest: float
    grey_levels: float


@lru_cache(maxsize=16)
def drawing(ansatz: Ansatz) -> tuple[bytes, str]:
    """A circuit as SVG and as text."""
    with TemporaryDirectory(prefix="hqgan-page-") as folder:
        path = Path(folder) / "circuit.svg"
        draw(ansatz, path)
        return path.read_bytes(), drawn(ansatz)


@torch.no_grad()
def readouts(loaded: Loaded, name: str, noise: torch.Tensor) -> list[np.ndarray]:
    """The readouts (k, M) of every circuit layer for one image, one row for each sub-generator.

    Args:
        loaded: the generator.
        name: the class.
        noise: (noise_size,).
    """
    found: list[np.ndarray] = []

    def keep(module: Any, given: Any, result: torch.Tensor) -> None:
        found.append(result[0].cpu().numpy())

    handles = [circuit.register_forward_hook(keep) for circuit in loaded.generator.circuits]
    device = next(loaded.generator.parameters()).device
    try:
        loaded.generator(noise[None].to(device), torch.tensor([loaded.classes.index(name)], device=device))
    finally:
        for handle in handles:
            handle.remove()
    return found


def image_on(loaded: Loaded, name: str, noise: torch.Tensor, backend: str, shots: int, exact: np.ndarray) -> OnBackend:
    """The image of `noise` (noise_size,) with the circuits on another one of `BACKENDS`, compared with its `exact` image.

    Raises:
        UserError: the run has no circuits, they are too large, or Qiskit is not installed.
    """
    circuits = loaded.generator.circuits
    if circuits and (qubits := circuits[0].ansatz.qubits) > MOST_QUBITS:
        raise UserError(
            f"Circuits of {qubits} qubits take too long for a page; hqgan generate --backend {backend} runs them."
        )
    moved = on_backend(loaded, backend_of(backend, shots=shots), backend)
    image = images(moved, name, noise[None])[0]
    watched = moved.generator.circuits[0].backend
    # Generators with one circuit for each class have many layers, which share one backend.
    assert isinstance(watched, Watched)
    return OnBackend(image, watched.mean, watched.largest, float(np.abs(image.astype(int) - exact).mean()))


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
