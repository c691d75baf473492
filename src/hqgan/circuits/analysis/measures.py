"""Circuits over random angles and weights: how much of state space they reach, how entangled they are, and their gradients."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines import torch_engine
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.engines.gates import amplitudes_of
from hqgan.circuits.engines.plan import make_plan, no_autocast
from hqgan.errors import UserError

BINS = 75
MOST_QUBITS = 16
"""Limit of `expressivity`, which holds the whole states of many circuits in memory."""


def expressivity(ansatz: Ansatz, pairs: int = 2000, seed: int = 0) -> float:
    """How far a circuit's states are from Haar-random ones; the lower, the more expressive, and 0 is the best.

    The Kullback-Leibler divergence, in nats, of the histogram of fidelities of random pairs of its states from that of
    Haar-random states, in 75 bins (Sim, Johnson and Aspuru-Guzik, arXiv 1905.10876, eq. 12). Encoding angles and weights are
    uniform over a full turn. A finite number of pairs alone gives about (bins in use) / (2 pairs).

    Args:
        ansatz: the circuit; its readout does not matter.
        pairs: number of pairs of states.
        seed: random seed for angles and weights.

    Raises:
        UserError: The circuit has more than 16 qubits.
    """
    if ansatz.qubits > MOST_QUBITS:
        raise UserError(f"Expressivity is for up to {MOST_QUBITS} qubits, not {ansatz.qubits}: lower `qubits`.")
    plain = replace(ansatz, readout=("Z0",), ancillas=0)
    angles, weights = random_inputs(plain, 2 * pairs, seed)
    found = []
    most = max(1, (1 << 22) >> ansatz.qubits)  # states at a time
    for start in range(0, pairs, most):
        rows = slice(2 * start, 2 * min(start + most, pairs))
        with no_autocast(angles.device), torch.no_grad():
            plan = make_plan(plain, angles.dtype, angles.device)
            amplitudes = amplitudes_of(plain, angles[:, rows].transpose(0, 1), weights[rows, : plan.absorbed])
            states = torch_engine.states(plan, amplitudes, weights[rows])[:, 0]
        found.append((states[::2].conj() * states[1::2]).sum(-1).abs().square())
    return divergence_from_haar(torch.cat(found), 2**ansatz.qubits)


def divergence_from_haar(fidelities: Tensor, size: int) -> float:
    """Kullback-Leibler divergence, in nats, of fidelities F from what Haar-random states have.

    Their density is (size - 1)(1 - F)^(size - 2), size being 2^n; both are compared as histograms of 75 bins.
    """
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
        samples: number of states, with encoding angles and weights uniform over a full turn.
        seed: random seed for angles and weights.
    """
    words = tuple(f"{letter}{q}" for q in range(ansatz.qubits) for letter in "XYZ")
    angles, weights = random_inputs(ansatz, samples, seed)
    with torch.no_grad():
        readout = simulate(replace(ansatz, readout=words, ancillas=0), angles, weights)
    return 1 - readout.square().sum(-1).mean().item() / ansatz.qubits


def gradient_variance(ansatz: Ansatz, samples: int = 500, seed: int = 0, spread: float = 2 * math.pi) -> float:
    """Variance of the derivative of a readout by a first-layer weight of its qubit, over random angles and weights.

    The barren-plateau plot of McClean et al. (arXiv 1803.11173) shows it against qubits and depth. The readout is the middle one
    of the ansatz, or Z of the middle qubit where the ansatz measures probabilities.

    Args:
        ansatz: the circuit, of at least one layer.
        samples: number of random circuits.
        seed: random seed for angles and weights.
        spread: weights are uniform in [0, spread) radians, encoding angles over a full turn.

    Raises:
        UserError: The circuit has no layers.
    """
    if not ansatz.layers:
        raise UserError("A circuit of 0 layers has no weights to differentiate by; choose a larger `layers`.")
    readout = f"Z{ansatz.qubits // 2}" if ansatz.probabilities else ansatz.readout[len(ansatz.readout) // 2]
    one = replace(ansatz, readout=(readout,), ancillas=0)
    angles, weights = random_inputs(one, samples, seed)
    weights = (weights * (spread / (2 * math.pi))).requires_grad_()
    (slopes,) = torch.autograd.grad(simulate(one, angles, weights).sum(), weights)
    return slopes[:, 0, one.words[0][0][0], 0].var().item()


def random_inputs(ansatz: Ansatz, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random angles (1, count, n) and weights (count, L, n, R), float32, uniform in [0, 2 pi)."""
    random = torch.Generator().manual_seed(seed)
    angles = torch.rand(1, count, ansatz.qubits, generator=random) * 2 * math.pi
    return angles, torch.rand(count, *ansatz.weight_shape, generator=random) * 2 * math.pi
