"""Backends by name, as they are asked for on the command line, and how far one lies from the exact simulator."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.ibm import JobPlan, ibm_backend
from hqgan.circuits.backends.pennylane import pennylane_backend
from hqgan.circuits.backends.qiskit import aer_backend, fake_backend
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError
from hqgan.types import Backend

NAMES = "statevector, pennylane:<device>, aer, fake:<machine> or ibm:<machine>"
TAKES = {"aer": {"shots", "noise"}, "fake": {"shots", "mitigation"}, "ibm": {"shots", "mitigation"}}
"""Options by kind of backend."""


def backend_of(
    name: str,
    *,
    shots: int | None = None,
    noise: float = 0.0,
    mitigation: int = 0,
    seed: int = 0,
    folder: Path = Path(),
    confirm: Callable[[JobPlan], bool] = lambda plan: False,
) -> Backend:
    """Make the backend of this name.

    Args:
        name: ``statevector`` (ours), ``pennylane:<device>``, ``aer``, ``fake:<machine>``, ``ibm:<machine>``, ``ibm:least-busy``.
        shots: measurements of each circuit in each basis; None for exact numbers, on fake and real machines for 1024.
        noise: gate error of ``aer``, see `aer_backend`.
        mitigation: level of ``fake`` and ``ibm``, see `fake_backend`.
        seed: random seed for shots and transpilation.
        folder: where the book of ``ibm``'s jobs is kept.
        confirm: is shown what a job on ``ibm`` would cost, and says whether to send it.

    Raises:
        UserError: There is no such backend, it is not installed, or it does not take an option that was given.
    """
    kind, _, place = name.partition(":")
    given = {"shots": shots is not None, "noise": bool(noise), "mitigation": bool(mitigation)}
    for option, is_given in given.items():
        if is_given and option not in TAKES.get(kind, set()) and kind in {"statevector", "pennylane", *TAKES}:
            raise UserError(f"The backend {name} takes no `{option}`; leave it away, or choose another backend.")
    measured = 1024 if shots is None else shots
    match kind, place:
        case "statevector", "":
            return simulate
        case "pennylane", _:
            return pennylane_backend(place or "default.qubit")
        case "aer", "":
            return aer_backend(shots=shots, noise=noise, seed=seed)
        case "fake", _ if place:
            return fake_backend(place, shots=measured, seed=seed, mitigation=mitigation)
        case "ibm", _ if place:
            return ibm_backend(place, shots=measured, mitigation=mitigation, seed=seed, folder=folder, confirm=confirm)
    raise UserError(f"There is no backend {name!r}: it is {NAMES}, as in fake:brisbane.")


class Watched:
    """A backend that also runs the exact simulator and records how far its readouts are from the exact ones.

    Attributes:
        largest: the largest difference of a readout so far.
        mean: the mean absolute difference of all readouts so far; nan before the first.
    """

    def __init__(self, backend: Backend) -> None:
        """Watch `backend`."""
        self.backend = backend
        self.largest, self._sum, self._count = 0.0, 0.0, 0

    def __call__(self, ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        """The backend's readouts."""
        found = self.backend(ansatz, angles, weights)
        with torch.no_grad():
            apart = (found - simulate(ansatz, angles, weights)).abs()
        self.largest = max(self.largest, apart.max().item())
        self._sum += apart.double().sum().item()
        self._count += apart.numel()
        return found

    @property
    def mean(self) -> float:
        """Mean absolute difference of all readouts so far; nan before the first."""
        return self._sum / self._count if self._count else math.nan
