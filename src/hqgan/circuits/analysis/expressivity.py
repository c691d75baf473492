"""What a circuit can do before it has learnt anything: how much of state space it reaches, how it entangles, how steep it is."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines import torch_engine as matrices
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.engines.gates import amplitudes_of
from hqgan.circuits.engines.plan import make_plan, no_autocast
from hqgan.errors import UserError

BINS = 75
MOST_QUBITS = 16
"""For `expressivity`, which holds whole states of many circuits."""


def expressivity(ansatz: Ansatz, pairs: int = 2000, seed: int = 0) -> float:
    """How far a circuit's states are from Haar-random ones: 0 is as expressive as can be.

    The Kullback-Leibler divergence, in nats, of the histogram of fidelities of random pairs of its states from that of
    Haar-random states, in 75 bins (Sim, Johnson and Aspuru-Guzik, arXiv 1905.10876, eq. 12). Encoding angles and weights are
    uniform over a full turn. A finite number of pairs alone gives about (bins in use) / (2 pairs).

    Args:
        ansatz: the circuit; its readout does not matter.
        pairs: of states.
        seed: of angles and weights.

    Raises:
        UserError: more than 16 qubits.
    """
    if ansatz.qubits > MOST_QUBITS:
        raise UserError(f"Expressivity is for up to {MOST_QUBITS} qubits, not {ansatz.qubits}: lower --qubits.")
    plain = replace(ansatz, readout=("Z0",), ancillas=0)
    angles, weights = _random(plain, 2 * pairs, seed)
    found = []
    most = max(1, (1 << 22) >> ansatz.qubits)  # states at a time
    for start in range(0, pairs, most):
        rows = slice(2 * start, 2 * min(start + most, pairs))
        with no_autocast(angles.device), torch.no_grad():
            plan = make_plan(plain, angles.dtype, angles.device)
            amplitudes = amplitudes_of(plain, angles[:, rows].transpose(0, 1), weights[rows, : plan.absorbed])
            states = matrices.states(plan, amplitudes, weights[rows])[:, 0]
        found.append((states[::2].conj() * states[1::2]).sum(-1).abs().square())
    return divergence_from_haar(torch.cat(found), 2**ansatz.qubits)


def divergence_from_haar(fidelities: Tensor, size: int) -> float:
    """Kullback-Leibler divergence of fidelities' histogram from (size - 1)(1 - F)^(size - 2), in nats."""
    edges = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)
    # Rounding can carry a fidelity over 1, where it would be in no bin.
    counts = torch.histc(fidelities.double().clamp(0, 1), BINS, 0, 1)
    p = counts / counts.sum()
    q = (1 - edges[:-1]) ** (size - 1) - (1 - edges[1:]) ** (size - 1)
    used = p > 0
    return (p[used] * (p[used] / q[used].clamp_min(1e-300)).log()).sum().item()


def entanglement(ansatz: Ansatz, samples: int = 500, seed: int = 0) -> float:
    """Mean Meyer-Wallach measure of the final states: 0 for product states, at most 1.

    1 minus the mean over qubits of <X>^2 + <Y>^2 + <Z>^2 (Meyer and Wallach, quant-ph/0108104; Brennen, quant-ph/0305094).

    Args:
        ansatz: the circuit; its readout does not matter.
        samples: states, by encoding angles and weights uniform over a full turn.
        seed: of these.
    """
    words = tuple(f"{letter}{q}" for q in range(ansatz.qubits) for letter in "XYZ")
    angles, weights = _random(ansatz, samples, seed)
    with torch.no_grad():
        readout = simulate(replace(ansatz, readout=words, ancillas=0), angles, weights)
    return 1 - readout.square().sum(-1).mean().item() / ansatz.qubits


def gradient_variance(ansatz: Ansatz, samples: int = 500, seed: int = 0, spread: float = 2 * math.pi) -> float:
    """Variance, over random angles and weights, of a readout's slope by a weight of the first layer on its own qubit.

    The barren-plateau plot of McClean et al. (arXiv 1803.11173) shows it against qubits and depth. The readout is the middle one
    of the ansatz; probabilities are taken for Z of the middle qubit.

    Args:
        ansatz: the circuit, of at least one layer.
        samples: draws.
        seed: of the draws.
        spread: weights are uniform in [0, spread) radians, encoding angles over a full turn.

    Raises:
        UserError: a circuit of 0 layers.
    """
    if not ansatz.layers:
        raise UserError("A circuit of 0 layers has no weights to take slopes by; give it a --depth.")
    readout = f"Z{ansatz.qubits // 2}" if ansatz.probabilities else ansatz.readout[len(ansatz.readout) // 2]
    one = replace(ansatz, readout=(readout,), ancillas=0)
    angles, weights = _random(one, samples, seed)
    weights = (weights * (spread / (2 * math.pi))).requires_grad_()
    (slopes,) = torch.autograd.grad(simulate(one, angles, weights).sum(), weights)
    return slopes[:, 0, one.words[0][0][0], 0].var().item()


def _random(ansatz: Ansatz, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Angles (1, count, n) and weights (count, L, n, R), float32, uniform in [0, 2 pi)."""
    random = torch.Generator().manual_seed(seed)
    angles = torch.rand(1, count, ansatz.qubits, generator=random) * 2 * math.pi
    return angles, torch.rand(count, *ansatz.weight_shape, generator=random) * 2 * math.pi
