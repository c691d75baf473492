"""A circuit as a layer of a neural network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError
from hqgan.runtime.processes import ALL, Shard
from hqgan.types import Backend


class QuantumLayer(nn.Module):
    """k sub-generators of one ansatz, each with weights of its own.

    Attributes:
        ansatz: the circuit.
        weights: (k, L, n, R) parameter in radians, started uniform in [0, start); HybridQ's start is 1 (arXiv 2506.21015v1).
        backend: what runs the circuits, a `hqgan.types.Backend`; may be replaced at any time.
        shots: in training, readouts get the random error of so many measurements; 0 for exact readouts.
        shard: this process's part of a batch that several processes divide.
    """

    shard = ALL

    def __init__(
        self,
        ansatz: Ansatz,
        sub_generators: int = 1,
        *,
        backend: Backend = simulate,
        start: float = 1.0,
        shots: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Draw the weights uniformly from [0, start) with `generator`, or with torch's global one."""
        super().__init__()
        if sub_generators < 1:
            raise UserError(f"A quantum layer needs at least 1 sub-generator, not {sub_generators}.")
        self.ansatz = ansatz
        self.backend = backend
        self.shots = shots
        self.weights = nn.Parameter(start * torch.rand(sub_generators, *ansatz.weight_shape, generator=generator))

    def forward(self, angles: Tensor) -> Tensor:
        """Readout (B, k, M) of encoding angles (B, k, n) in radians; UserError if they have another shape.

        Computes in at least 32 bits, even under autocast: the errors of 16 bits would add up over a circuit's gates.
        """
        with torch.autocast(angles.device.type, enabled=False):
            angles = angles if angles.dtype == torch.float64 else angles.float()
            readout = self.backend(self.ansatz, angles, self.weights)
        return add_shot_noise(readout, self.shots, self.ansatz, self.shard) if self.training and self.shots else readout

    def extra_repr(self) -> str:
        """One line for print(model)."""
        a = self.ansatz
        return f"sub_generators={len(self.weights)}, qubits={a.qubits}, layers={a.layers}, readouts={a.readouts}"


def add_shot_noise(readout: Tensor, shots: int, ansatz: Ansatz, shard: Shard = ALL) -> Tensor:
    """Readouts as a finite number of shots would estimate them: plus normal noise of the shots' variance, without gradient.

    The noise of different readouts is independent; on a machine, readouts measured in one basis and probabilities are correlated.
    Draws from torch's global generator for the whole batch, of which this process holds a `shard`.
    """
    exact = readout.detach()
    whole = torch.randn(shard.world * len(exact), *exact.shape[1:], dtype=exact.dtype, device=exact.device)
    return readout + shard.rows(whole) * shot_variance(exact, shots, ansatz).sqrt()


def shot_variance(readout: Tensor, shots: int, ansatz: Ansatz) -> Tensor:
    """Variance of readouts (..., M) due to shots: (1 - e^2) / shots of an expectation, p (1 - p) / shots of a probability."""
    variance = readout * (1 - readout) if ansatz.probabilities else 1 - readout.square()
    return variance.clamp_min(0) / shots
