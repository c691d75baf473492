"""How large a circuit's gradients are before training: whether it starts on a barren plateau."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from hqgan.circuits.analysis.expressivity import random_inputs
from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError


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
