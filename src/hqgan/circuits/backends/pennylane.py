"""The same ansatz on any PennyLane device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz, Word
from hqgan.circuits.engines.dispatch import check_inputs
from hqgan.circuits.engines.gates import postselected
from hqgan.circuits.entanglers import required
from hqgan.errors import UserError
from hqgan.types import Backend


def pennylane_backend(device: str = "default.qubit", *, diff_method: str = "best") -> Backend:
    """A backend that runs circuits on a PennyLane device, one sub-generator after the other.

    Args:
        device: PennyLane's name of the device, e.g. ``default.qubit`` or ``lightning.qubit``.
        diff_method: how PennyLane finds gradients; ``best`` is backpropagation on ``default.qubit`` and the adjoint
            method on ``lightning.qubit``.

    Raises:
        UserError: PennyLane is not installed, or has no such device.
    """
    try:
        import pennylane as qml
    except ImportError:
        raise UserError('Backends named pennylane need PennyLane: pip install "hqgan[quantum]".') from None
    try:
        qml.device(device, wires=1)
    except Exception as error:
        # Plug-ins raise exceptions of any kind; their reason is what the user needs.
        raise UserError(f"PennyLane cannot make the device {device!r}: {error}") from error

    def run(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        check_inputs(ansatz, angles, weights)
        node = qml.QNode(_circuit, qml.device(device, wires=ansatz.qubits), interface="torch", diff_method=diff_method)
        rows = []
        for i in range(len(weights)):
            result = node(ansatz, angles[:, i], weights[i])
            rows.append(result if ansatz.probabilities else torch.stack(tuple(result), -1))
        found = torch.stack(rows, 1).to(angles.device, angles.dtype)
        return postselected(ansatz, found) if ansatz.ancillas else found

    return run


def _circuit(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Any:
    """PennyLane's measurements of angles (B, n), which it broadcasts, and weights (L, n, R)."""
    import pennylane as qml

    apply_gates(ansatz, angles, weights)
    if ansatz.probabilities:
        return qml.probs(wires=range(ansatz.qubits))
    return [qml.expval(observable(word)) for word in ansatz.words]


def apply_gates(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> None:
    """Queue an ansatz's gates, by angles (n,) or (B, n) and weights (L, n, R) in radians, on PennyLane's current tape."""
    import pennylane as qml

    for gate in ansatz.encoding:
        for qubit in range(ansatz.qubits):
            getattr(qml, gate.upper())(angles[..., qubit], wires=qubit)
    for layer in range(ansatz.layers):
        for r, gate in enumerate(ansatz.rotations):
            for qubit in range(ansatz.qubits):
                getattr(qml, gate.upper())(weights[layer, qubit, r], wires=qubit)
        for pair in ansatz.pairs:
            getattr(qml, required(ansatz.entangler, "pennylane", "The PennyLane backend"))(wires=pair)


def observable(word: Word) -> Any:
    """PennyLane's product of a word's Paulis."""
    import pennylane as qml

    return qml.prod(*(getattr(qml, letter)(qubit) for qubit, letter in word))
