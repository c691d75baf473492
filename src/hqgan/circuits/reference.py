"""The slow, obvious simulator: gate by gate, as in a textbook, with autograd's own gradients.

The engines are tested against it, and it shares no code with them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.errors import UserError

_I = [[1, 0], [0, 1]]
_PAULI = {"X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]], "Z": [[1, 0], [0, -1]]}
_ENTANGLERS = {
    "cz": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, -1]],
    "cnot": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]],
}
"""Matrices of the basis |00>, |01>, |10>, |11>, written down here and not taken from the table that the engines use."""


def reference(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
    """Readout (B, k, M) of angles (B, k, n) and weights (k, L, n, R), in complex128 one circuit at a time."""
    rows = [torch.stack([_run(ansatz, x, w) for x, w in zip(sample, weights, strict=True)]) for sample in angles]
    return torch.stack(rows).to(angles.dtype)


def _run(ansatz: Ansatz, x: Tensor, w: Tensor) -> Tensor:
    state = torch.zeros((2,) * ansatz.qubits, dtype=torch.complex128)
    state[(0,) * ansatz.qubits] = 1
    for gate in ansatz.encoding:
        for qubit in range(ansatz.qubits):
            state = _apply(state, _rotation(gate, x[qubit]), [qubit])
    for layer in range(ansatz.layers):
        for r, gate in enumerate(ansatz.rotations):
            for qubit in range(ansatz.qubits):
                state = _apply(state, _rotation(gate, w[layer, qubit, r]), [qubit])
        for pair in ansatz.pairs:
            state = _apply(state, _entangler(ansatz.entangler), list(pair))
    if ansatz.probabilities:
        found = state.abs().square().flatten().reshape(2**ansatz.ancillas, -1)[0]
        return found / found.sum() if ansatz.ancillas else found
    return torch.stack([_expectation(state, word) for word in ansatz.words])


def _rotation(gate: str, angle: Tensor) -> Tensor:
    """exp(-i angle P / 2) = cos(angle / 2) - i sin(angle / 2) P."""
    angle = angle.to(torch.float64)
    pauli = torch.tensor(_PAULI[gate[1].upper()], dtype=torch.complex128)
    return torch.cos(angle / 2) * torch.tensor(_I, dtype=torch.complex128) - 1j * torch.sin(angle / 2) * pauli


def _entangler(name: str) -> Tensor:
    if name not in _ENTANGLERS:
        raise UserError(f"The reference simulator does not know the entangler {name!r}: it has no matrix of it.")
    return torch.tensor(_ENTANGLERS[name], dtype=torch.complex128)


def _apply(state: Tensor, gate: Tensor, qubits: list[int]) -> Tensor:
    """Apply a gate (2^m, 2^m) to m of the axes of a state (2, ..., 2); the first qubit is the most significant."""
    m = len(qubits)
    state = torch.tensordot(gate.reshape((2,) * (2 * m)), state, dims=(list(range(m, 2 * m)), qubits))
    return torch.movedim(state, list(range(m)), qubits)


def _expectation(state: Tensor, word: tuple[tuple[int, str], ...]) -> Tensor:
    turned = state
    for qubit, letter in word:
        turned = _apply(turned, torch.tensor(_PAULI[letter], dtype=torch.complex128), [qubit])
    return (state.conj() * turned).sum().real
