"""A circuit as a layer of a network."""

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
        shots: measurements whose scatter is added to the readouts while training; 0 for none.
        share: of a batch that several processes hold together.
    """

    share = ALL

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
        """Draw the weights uniform in [0, start) from `generator`, or from torch's global one."""
        super().__init__()
        if sub_generators < 1:
            raise UserError(f"A quantum layer needs at least 1 sub-generator, not {sub_generators}.")
        self.ansatz = ansatz
        self.backend = backend
        self.shots = shots
        self.weights = nn.Parameter(start * torch.rand(sub_generators, *ansatz.weight_shape, generator=generator))

    def forward(self, angles: Tensor) -> Tensor:
        """Readout (B, k, M) of encoding angles (B, k, n) in radians; UserError if the shape is another.

        Never in less than 32 bits, whatever is mixed around it: the errors of 16 bits add up over a circuit's gates.
        """
        with torch.autocast(angles.device.type, enabled=False):
            angles = angles if angles.dtype == torch.float64 else angles.float()
            readout = self.backend(self.ansatz, angles, self.weights)
        return scattered(readout, self.shots, self.ansatz, self.share) if self.training and self.shots else readout

    def extra_repr(self) -> str:
        """One line for print(model)."""
        a = self.ansatz
        return f"sub_generators={len(self.weights)}, qubits={a.qubits}, layers={a.layers}, readouts={a.readouts}"


def scattered(readout: Tensor, shots: int, ansatz: Ansatz, share: Shard = ALL) -> Tensor:
    """Readouts as so many shots would show them: normal noise of the shots' variance, which no gradient passes.

    Each readout scatters on its own; real ones that are read in one basis, or shares that add up to 1, are correlated. Draws from
    torch's global state, for a whole batch of which this process may hold a `share`.
    """
    exact = readout.detach()
    whole = torch.randn(share.world * len(exact), *exact.shape[1:], dtype=exact.dtype, device=exact.device)
    return readout + share.rows(whole) * shot_variance(exact, shots, ansatz).sqrt()


def shot_variance(readout: Tensor, shots: int, ansatz: Ansatz) -> Tensor:
    """Of exact readouts (..., M) in so many shots: (1 - e^2) / shots for a mean of signs, p (1 - p) / shots for a share."""
    variance = readout * (1 - readout) if ansatz.probabilities else 1 - readout.square()
    return variance.clamp_min(0) / shots
