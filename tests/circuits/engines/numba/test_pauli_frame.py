from __future__ import annotations

import numpy as np
import torch
from circuit_cases import ansatzes, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.numba.pauli_frame import pauli_frame, word_signs
from hqgan.circuits.reference import reference


@settings(deadline=None, max_examples=40)
@given(ansatzes(max_qubits=5, max_layers=4), st.integers(0, 1000))
def test_small_angles_and_a_pauli_are_the_same_circuit(ansatz: Ansatz, seed: int) -> None:
    angles, weights = (x.detach() for x in inputs(ansatz, 2, 3, seed=seed))
    weights = 5 * weights
    frame = pauli_frame(ansatz, weights.numpy())
    assert np.abs(frame.angles).max(initial=0) <= np.pi / 2 + 1e-12
    given_, small = reference(ansatz, angles, weights), reference(ansatz, angles, torch.from_numpy(frame.angles))
    if ansatz.probabilities:
        flips = (frame.x << np.arange(ansatz.qubits)[::-1]).sum(1)
        index = torch.arange(2**ansatz.qubits)
        small = torch.stack([small[:, k, index ^ int(flip)] for k, flip in enumerate(flips)], 1)
    else:
        small = small * torch.from_numpy(word_signs(ansatz, frame))
    torch.testing.assert_close(small, given_, rtol=0, atol=1e-12)


def test_signs_are_the_derivatives_of_the_small_angles() -> None:
    ansatz = Ansatz(4, 3, rotations=("rz", "ry"), readout=("X0", "Y3"))
    _, weights = (x.detach().numpy() for x in inputs(ansatz, 1, 2, seed=3))
    frame, step = pauli_frame(ansatz, 3 * weights), 1e-6
    nudged = pauli_frame(ansatz, 3 * weights + step)
    # A nudge over the edge of a quarter turn would show as a jump of pi.
    np.testing.assert_allclose((nudged.angles - frame.angles) / step, frame.signs, atol=1e-6)
