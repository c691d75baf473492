"""Rotations as amplitudes and as matrices, differentiable by torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz


def kron(factors: Tensor) -> Tensor:
    """Kronecker product over the first axis, of vectors (m, ..., 2, 1) or of matrices (m, ..., 2, 2)."""
    product = factors[0]
    for factor in factors[1:]:
        pairs = product[..., :, None, :, None] * factor[..., None, :, None, :]
        product = pairs.flatten(-4, -3).flatten(-2, -1)
    return product


def _rotate(gate: str, angle: Tensor, top: Tensor, bottom: Tensor) -> tuple[Tensor, Tensor]:
    """Apply a rotation to amplitudes of |0> and |1>, or to the two rows of a matrix."""
    # Not torch.cos: MKL's version wakes threads that then occupy, for some milliseconds, the core that the circuits need.
    turn = torch.polar(torch.ones_like(angle), angle / 2)
    cos, sin = turn.real, turn.imag
    if gate == "ry":
        return cos * top - sin * bottom, sin * top + cos * bottom
    if gate == "rx":
        return cos * top - 1j * sin * bottom, cos * bottom - 1j * sin * top
    return torch.complex(cos, -sin) * top, torch.complex(cos, sin) * bottom


def amplitudes_of(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
    """(k, B, n, 2) of each qubit's |0> and |1> after the encoding by angles (k, B, n) and the layers of weights (k, L, n, R)."""
    top, bottom = torch.ones_like(angles), torch.zeros_like(angles)
    for gate in ansatz.encoding:
        top, bottom = _rotate(gate, angles, top, bottom)
    for layer in range(weights.shape[1]):
        for r, gate in enumerate(ansatz.rotations):
            top, bottom = _rotate(gate, weights[:, layer, None, :, r], top, bottom)
    return torch.stack((top, bottom), -1)


def fused_gates(rotations: Sequence[str], weights: Tensor, groups: Sequence[int], dtype: torch.dtype) -> list[Tensor]:
    """For each group, its qubits' rotations in every layer as one matrix: (L, k, d, d), d = 2^(its qubits)."""
    rows = torch.eye(2, dtype=weights.dtype, device=weights.device)
    top, bottom = rows[0], rows[1]
    weights = weights.permute(3, 2, 1, 0).unsqueeze(-1)  # (R, n, L, k, 1)
    for r, gate in enumerate(rotations):
        top, bottom = _rotate(gate, weights[r], top, bottom)
    matrices = torch.stack((top, bottom), -2).to(dtype)  # (n, L, k, 2, 2)
    if len(set(groups)) == 1:  # all in one go
        return list(kron(matrices.unflatten(0, (len(groups), -1)).transpose(0, 1)).unbind(0))
    return [kron(block) for block in matrices.split(groups)]


def postselected(ansatz: Ansatz, probabilities: Tensor) -> Tensor:
    """(..., 2^(n-a)) from the probabilities (..., 2^n) of all basis states, given that the a ancillas are in |0>.

    Zero where the ancillas are never found in |0>.
    """
    kept = probabilities[..., : ansatz.readouts]  # the ancillas are the highest bits
    return kept / kept.sum(-1, keepdim=True).clamp_min(torch.finfo(kept.dtype).tiny)
