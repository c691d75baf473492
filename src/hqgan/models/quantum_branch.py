"""The quantum branch: from features to angles, through circuits or an ablation of them, and back to a feature map."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.layer import QuantumLayer
from hqgan.config.generators import CircuitConfig, HybridConfig
from hqgan.models.ablations import FourierFeatures, MomentNoise, SharedMlp
from hqgan.models.encoders import SITES


def _circuit(config: HybridConfig, ansatz: Ansatz) -> nn.Module:
    return QuantumLayer(ansatz, config.sub_generators, start=config.circuit.start, shots=config.circuit.shots)


BRANCHES: dict[str, Callable[[HybridConfig, Ansatz], nn.Module]] = {
    "circuit": _circuit,
    "frozen": lambda config, ansatz: _circuit(config, ansatz).requires_grad_(False),
    "mlp": lambda config, ansatz: SharedMlp(ansatz, config.sub_generators, config.branch_hidden),
    "fourier": lambda config, ansatz: FourierFeatures(ansatz, config.sub_generators),
    "noise": lambda config, ansatz: MomentNoise(ansatz, config.sub_generators, config.circuit.start),
}
"""By name, what may stand between encoding angles (B, k, n) and readouts (B, k, m)."""


def branch_of(config: HybridConfig, ansatz: Ansatz) -> nn.Module:
    """The circuits, or the ablation that a config names.

    Raises:
        ValueError: the name is not in `BRANCHES`.
    """
    if config.branch not in BRANCHES:
        raise ValueError(f"unknown branch {config.branch!r}; there are {', '.join(BRANCHES)}")
    return BRANCHES[config.branch](config, ansatz)


def ansatz_of(config: CircuitConfig) -> Ansatz:
    """The ansatz that a config describes, with each of its Paulis read on every qubit."""
    return Ansatz(
        qubits=config.qubits,
        layers=config.layers,
        encoding=config.encoding,
        rotations=config.rotations,
        entangler=config.entangler,
        readout=tuple(f"{pauli}{q}" for q in range(config.qubits) for pauli in config.readout),
    )


class QuantumSites(nn.Module):
    """Features at 4x4 sites -> encoding angles -> circuits -> readouts back at their sites.

    Args:
        channels: of the features.
        config: the circuit, the number of sub-generators and what of their readouts is used.

    Attributes:
        channels: of the result. With readout "mean" each sub-generator has a channel of its own, zero everywhere but at its
            site (the paper); with "full" the sub-generators share the channels, one for each readout, and differ by their site.
        circuit: the circuits, or an ablation in their place.
        noise_size: numbers of noise that it takes for one image; only the branch "noise" takes any.
    """

    sites: torch.Tensor

    def __init__(self, channels: int, config: HybridConfig) -> None:
        super().__init__()
        k = config.sub_generators
        ansatz = ansatz_of(config.circuit)
        self.full = config.readout == "full"
        self.channels = ansatz.readouts if self.full else k
        self.angles = nn.Linear(channels, ansatz.qubits)
        # Without it the angles of an untrained branch hardly vary, so that a site has the same value for every latent
        # (docs/lab.md). The paper has none.
        self.norm = nn.BatchNorm1d(ansatz.qubits) if self.full else nn.Identity()
        self.circuit = branch_of(config, ansatz)
        self.noise_size = self.circuit.noise_size if isinstance(self.circuit, MomentNoise) else 0
        self.register_buffer("sites", torch.linspace(0, SITES - 1, k).round().long(), persistent=False)

    def forward(self, x: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """(B, C, 4, 4), and noise (B, noise_size) if it takes any, to (B, `channels`, 4, 4)."""
        angles = self.angles(x.flatten(2).transpose(1, 2)[:, self.sites])
        angles = self.norm(angles.flatten(0, 1)).view_as(angles)
        readouts = self.circuit(angles, noise) if self.noise_size else self.circuit(angles)
        batch, k, m = readouts.shape
        if self.full:
            cells = readouts.new_zeros(batch, SITES, m).index_copy(1, self.sites, readouts).transpose(1, 2)
        else:
            values = torch.diag_embed(readouts.mean(2))
            cells = readouts.new_zeros(batch, k, SITES).index_copy(2, self.sites, values)
        return cells.reshape(batch, -1, 4, 4)
