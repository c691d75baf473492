from __future__ import annotations

import pytest
import torch
from circuit_cases import ansatzes, assert_agree, inputs, outputs_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.circuits.ansatz import Ansatz, brickwork, paper_ansatz, ring
from hqgan.circuits.engines import dispatch as statevector
from hqgan.circuits.engines.dispatch import over_cones, simulate
from hqgan.circuits.light_cones import cone_of, light_cones
from hqgan.circuits.reference import reference


def by_cones(ansatz: Ansatz, angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return over_cones(light_cones(ansatz), simulate, angles, weights)


@settings(deadline=None, max_examples=60)
@given(ansatzes(max_qubits=6, max_layers=3), st.integers(1, 2), st.integers(1, 2), st.integers(0, 1000))
def test_cones_give_what_the_whole_gives(ansatz: Ansatz, b: int, k: int, seed: int) -> None:
    assert_agree(by_cones, reference, ansatz, b, k, seed)


@pytest.mark.parametrize(
    ("ansatz", "size"),
    [
        (paper_ansatz(127, 3), 7),  # a chain of CZs: one more qubit on each side a layer
        (Ansatz(127, 3, pairs=ring(127)), 7),
        (Ansatz(127, 1, readout=("Z60",)), 1),  # CZs commute with Z
        (Ansatz(127, 3, entangler="cnot", pairs=brickwork(127), readout=("X60",)), 12),
        (Ansatz(20, 1, entangler="cnot"), 20),  # a staircase carries everything down it
        (Ansatz(20, 3, entangler="none"), 1),
    ],
)
def test_sizes_of_cones(ansatz: Ansatz, size: int) -> None:
    assert max(len(cone.qubits) for cone in light_cones(ansatz)) == size


def test_every_qubit_of_a_cone_counts_and_no_other() -> None:
    ansatz = Ansatz(9, 2, readout=("X4", "Z0Y8"))
    angles, weights = inputs(ansatz, 1, 1)
    for i, word in enumerate(ansatz.words):
        (by_angles,) = torch.autograd.grad(reference(ansatz, angles, weights)[0, 0, i], angles)
        moved = [q for q, slope in enumerate(by_angles.flatten().abs()) if slope > 1e-9]
        assert tuple(moved) == cone_of(ansatz, word)


def test_a_wide_circuit_is_cut_down_and_a_deep_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    whole = statevector._whole

    def spy(ansatz: Ansatz, angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        ran.append(ansatz.qubits)
        return whole(ansatz, angles, weights)

    monkeypatch.setattr(statevector, "_whole", spy)
    for ansatz, most in ((Ansatz(12, 2), 5), (Ansatz(12, 6), 12), (Ansatz(5, 2), 5)):
        ran.clear()
        ours = outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 2, 2))
        truth = outputs_and_gradients(whole, ansatz, *inputs(ansatz, 2, 2))
        assert max(ran) == most
        for value, wanted in zip(ours, truth, strict=True):
            torch.testing.assert_close(value, wanted, rtol=0, atol=1e-11)


def test_127_qubits_with_gradient() -> None:
    ansatz = paper_ansatz(127, 3)
    angles, weights = inputs(ansatz, 1, 2, torch.float32)
    readout, by_angles, by_weights = outputs_and_gradients(simulate, ansatz, angles, weights)
    assert readout.shape == (1, 2, 127)
    assert by_angles.abs().min() > 0
    assert by_weights[:, 0].abs().min() > 0
    # A stretch in the middle is what it would be in a circuit of its own.
    part = paper_ansatz(11, 3)
    with torch.no_grad():
        alone = reference(part, angles[..., 50:61].double(), weights[:, :, 50:61].double())
    torch.testing.assert_close(readout[..., 53:58].double(), alone[..., 3:8], rtol=0, atol=1e-5)
