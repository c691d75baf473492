"""Makes every rotation one by at most a quarter turn, by moving half turns, which are Paulis, to the end of the circuit.

A rotation by t about P is, but for a phase, one by t - m pi followed by P^m. A Pauli that passes an entangler becomes another
Pauli, and one that passes a rotation about an axis with which it anticommutes changes the sign of its angle. The Pauli that
arrives at the end changes the signs of expectations, or the order of probabilities. Gottesman, quant-ph/9807006, calls this the
Heisenberg representation.
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


class PauliFrame(NamedTuple):
    """Layers of a circuit with small angles, and the Pauli that follows them."""

    angles: np.ndarray  # (k, L, n, R) in radians, from -pi/2 to pi/2
    signs: np.ndarray  # (k, L, n, R), 1 or -1: the derivative of such an angle by the given one
    x: np.ndarray  # (k, n) bool: whether the Pauli has an X, by qubit
    z: np.ndarray  # (k, n) bool: the same of Z; Y has both


def pauli_frame(ansatz: Ansatz, weights: np.ndarray) -> PauliFrame:
    """Make the angles of some layers small; each layer is followed by its entanglers.

    Args:
        ansatz: the circuit.
        weights: (k, L, n, R) in radians, of any number of layers, and of the first R rotations of each.
    """
    k, layers, n, each = weights.shape
    x, z = np.zeros((2, k, n), bool)
    changes = _changes(required(ansatz.entangler, "paulis", "The compiled engine")) if ansatz.pairs else []
    if not (np.abs(weights) > np.pi / 2).any():
        return PauliFrame(weights.astype(np.float64), np.ones_like(weights, np.float64), x, z)
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
    return PauliFrame(angles, signs, x, z)


def _changes(paulis: tuple[str, str, str, str]) -> list[tuple[int, list[int]]]:
    """Which of a pair's (x_a, z_a, x_b, z_b) an entangler changes, each with the old ones that add up to it modulo 2."""
    bits = [[letter in found for letter in image for found in ("XY", "ZY")] for image in paulis]
    sums = [[i for i in range(4) if bits[i][new]] for new in range(4)]
    return [(new, terms) for new, terms in enumerate(sums) if terms != [new]]


def word_signs(ansatz: Ansatz, frame: PauliFrame) -> np.ndarray:
    """(k, words) 1 or -1: the sign that the Pauli gives to each word of the readout."""
    signs = np.ones((len(frame.x), len(ansatz.words)))
    if not (frame.x.any() or frame.z.any()):
        return signs
    for place, word in enumerate(ansatz.words):
        for qubit, letter in word:
            has_x, has_z = _AXES[f"r{letter.lower()}"]
            signs[:, place] *= 1 - 2.0 * ((frame.x[:, qubit] & has_z) ^ (frame.z[:, qubit] & has_x))
    return signs
