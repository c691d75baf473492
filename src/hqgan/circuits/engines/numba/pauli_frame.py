"""Rotations by no more than a quarter turn: half turns are Paulis, and Paulis can wait until the end.

A rotation by t about P is one by t - m pi, then P^m but for a phase. Entanglers turn a Pauli into another one, and a rotation
behind a Pauli that anticommutes with its axis is one by the opposite angle. What has gathered at the end changes the signs
of expectations, or the order of probabilities. Gottesman, quant-ph/9807006, calls it the Heisenberg representation.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import NamedTuple

import numpy as np

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.entanglers import required

# Whether a gate's Pauli has an X and a Z; Y has both.
_AXES = {"rx": (True, False), "ry": (True, True), "rz": (False, True)}


class Framed(NamedTuple):
    """Layers of a circuit with small angles, and the Pauli that stands behind them."""

    angles: np.ndarray  # (k, L, n, R) in radians, from -pi/2 to pi/2
    signs: np.ndarray  # (k, L, n, R), 1 or -1: the derivative of such an angle by the given one
    x: np.ndarray  # (k, n) bool: whether the Pauli has an X, by qubit
    z: np.ndarray  # (k, n) bool: the same of Z; Y has both


def framed(ansatz: Ansatz, weights: np.ndarray) -> Framed:
    """Make the angles of layers small, each followed by its entanglers.

    Args:
        ansatz: of which the layers are.
        weights: (k, L, n, R) in radians, any number of layers, and of the first rotations.
    """
    k, layers, n, each = weights.shape
    x, z = np.zeros((2, k, n), bool)
    changes = _changes(required(ansatz.entangler, "paulis", "The compiled engine")) if ansatz.pairs else []
    if not (np.abs(weights) > np.pi / 2).any():
        return Framed(weights.astype(np.float64), np.ones_like(weights, np.float64), x, z)
    angles, signs = np.empty((2, k, layers, n, each))
    for layer in range(layers):
        for r, gate in enumerate(ansatz.rotations[:each]):
            has_x, has_z = _AXES[gate]
            # P anticommutes with what has the other letter: Y with X and Z, X with Z, Z with X.
            signs[:, layer, :, r] = 1 - 2.0 * ((x & has_z) ^ (z & has_x))
            turned = signs[:, layer, :, r] * weights[:, layer, :, r].astype(np.float64)
            halves = np.rint(turned / np.pi)
            angles[:, layer, :, r] = turned - halves * np.pi
            odd = halves.astype(np.int64) & 1 == 1
            x, z = x ^ (odd & has_x), z ^ (odd & has_z)
        if x.any() or z.any():
            for a, b in ansatz.pairs:
                before = x[:, a], z[:, a], x[:, b], z[:, b]
                after = [reduce(xor, (before[i] for i in terms), False) for _, terms in changes]
                for (i, _), value in zip(changes, after, strict=True):
                    before[i][:] = value
    return Framed(angles, signs, x, z)


def _changes(paulis: tuple[str, str, str, str]) -> list[tuple[int, list[int]]]:
    """Which of a pair's (x_a, z_a, x_b, z_b) an entangler changes, each with the old ones that add up to it modulo 2."""
    bits = [[letter in found for letter in image for found in ("XY", "ZY")] for image in paulis]
    sums = [[i for i in range(4) if bits[i][new]] for new in range(4)]
    return [(new, terms) for new, terms in enumerate(sums) if terms != [new]]


def word_signs(ansatz: Ansatz, frame: Framed) -> np.ndarray:
    """(k, words) 1 or -1: the sign of each of the readout's words behind the Pauli."""
    signs = np.ones((len(frame.x), len(ansatz.words)))
    if not (frame.x.any() or frame.z.any()):
        return signs
    for place, word in enumerate(ansatz.words):
        for qubit, letter in word:
            has_x, has_z = _AXES[f"r{letter.lower()}"]
            signs[:, place] *= 1 - 2.0 * ((frame.x[:, qubit] & has_z) ^ (frame.z[:, qubit] & has_x))
    return signs
