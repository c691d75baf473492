"""The circuits of a run for one image: their drawing, their readouts, and the same image computed on another backend."""

from __future__ import annotations

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
from hqgan.sampling.load import Loaded, on_backend
from hqgan.serve.images import images
from hqgan.serve.limits import MOST_QUBITS

BACKENDS = {
    "statevector": "exact simulator",
    "aer": "shots, no noise",
    "fake:brisbane": "IBM Brisbane, simulated",
    "fake:torino": "IBM Torino, simulated",
}
"""Backends that the page offers, with their labels; the fake ones are noise models of real IBM machines."""


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


def on(loaded: Loaded, name: str, noise: torch.Tensor, backend: str, shots: int, exact: np.ndarray) -> OnBackend:
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
    difference = float(np.abs(image.astype(int) - exact).mean())
    return OnBackend(image, watched.mean, watched.largest, difference)
