"""Replacements of the circuits: the ablations of the quantum branch.

Each takes encoding angles (B, k, n) to numbers (B, k, m), as the circuits do, so that the rest of the generator stays the same.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.layer import QuantumLayer


class SharedMlp(nn.Module):
    """One hidden layer of ReLUs and a tanh, the same at every site: the parameter-matched classical twin.

    Circuits have so few weights that a network of its own at each site would have one hidden unit; shared by the sites it
    has enough of them to be a fair opponent.

    Args:
        ansatz: of the circuits that it replaces.
        sites: k.
        hidden: units; 0 for as many as come nearest to the circuits' count of weights.
    """

    def __init__(self, ansatz: Ansatz, sites: int, hidden: int) -> None:
        super().__init__()
        n, m = ansatz.qubits, ansatz.readouts
        hidden = hidden or max(1, round((sites * ansatz.parameters - m) / (n + m + 1)))
        self.layers = nn.Sequential(nn.Linear(n, hidden), nn.ReLU(), nn.Linear(hidden, m), nn.Tanh())

    def forward(self, angles: torch.Tensor) -> torch.Tensor:
        """(B, k, n) to (B, k, m) in (-1, 1)."""
        return self.layers(angles)


class FourierFeatures(nn.Module):
    """Cosines of random projections without trained parameters (Rahimi & Recht, NeurIPS 2007).

    A readout of a circuit is a trigonometric polynomial of its encoding angles (arXiv 2008.08605), and this is the simplest
    random one. Draws from torch's global state.

    Args:
        ansatz: of the circuits that it replaces.
        sites: k, each with features of its own.
    """

    frequencies: torch.Tensor
    phases: torch.Tensor

    def __init__(self, ansatz: Ansatz, sites: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(sites, ansatz.qubits, ansatz.readouts))
        self.register_buffer("phases", 2 * math.pi * torch.rand(sites, ansatz.readouts))

    def forward(self, angles: torch.Tensor) -> torch.Tensor:
        """(B, k, n) to (B, k, m) in [-1, 1]."""
        return torch.cos(torch.einsum("bkn,knm->bkm", angles, self.frequencies) + self.phases)


class MomentNoise(nn.Module):
    """Normal noise with the means and variances of a frozen circuit's readouts, independent of the latent.

    Args:
        ansatz: of the circuits.
        sites: k.
        start: of the frozen circuits' weights, as in `QuantumLayer`.

    Attributes:
        noise_size: numbers of noise that it takes for one image.
    """

    def __init__(self, ansatz: Ansatz, sites: int, start: float) -> None:
        super().__init__()
        self.circuits = QuantumLayer(ansatz, sites, start=start).requires_grad_(False)
        self.noise_size = sites * ansatz.readouts
        self.moments = nn.BatchNorm1d(self.noise_size, affine=False)

    def forward(self, angles: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, k, n) and noise (B, noise_size) to (B, k, m)."""
        if self.training:
            with torch.no_grad():
                readouts = self.circuits(angles).flatten(1)
                self.moments(readouts)
                mean, variance = readouts.mean(0), readouts.var(0, unbiased=False)
        else:
            assert self.moments.running_mean is not None
            assert self.moments.running_var is not None
            mean, variance = self.moments.running_mean, self.moments.running_var
        return torch.addcmul(mean, noise, variance.sqrt()).view(*angles.shape[:2], -1)
