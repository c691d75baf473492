"""Circuits with weights of their own for each class: how quantum GANs of a single class make several."""

from __future__ import annotations

import torch
from torch import nn

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.layer import QuantumLayer


class ClassCircuits(nn.Module):
    """For each class k sub-generators of one ansatz.

    Args:
        ansatz: the circuit.
        sub_generators: k.
        classes: number of classes.
        start: weights start uniform in [0, start) radians.
    """

    def __init__(self, ansatz: Ansatz, sub_generators: int, classes: int, start: float = 1.0) -> None:
        super().__init__()
        self.of_class = nn.ModuleList(QuantumLayer(ansatz, sub_generators, start=start) for _ in range(classes))

    def forward(self, angles: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Readouts (B, k, M) of encoding angles (B, k, n) by the circuits of classes (B,)."""
        order = labels.argsort(stable=True)
        found: list[torch.Tensor] = []
        for c, count in zip(*torch.unique_consecutive(labels[order], return_counts=True), strict=True):
            rows = order[sum(len(done) for done in found) :][: int(count)]
            found.append(self.of_class[int(c)](angles[rows]))
        return torch.cat(found)[order.argsort()]
