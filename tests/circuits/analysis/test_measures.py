from __future__ import annotations

import math

import pytest
import torch
from circuit_cases import ansatzes, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.circuits.analysis.measures import divergence_from_haar, entanglement, expressivity, gradient_variance
from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines import torch_engine
from hqgan.circuits.engines.gates import amplitudes_of
from hqgan.circuits.engines.plan import make_plan
from hqgan.errors import UserError


@settings(deadline=None, max_examples=25)
@given(ansatzes(max_qubits=6, known_to="qiskit"), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1000))
def test_states_agree_with_qiskit(ansatz: Ansatz, b: int, k: int, seed: int) -> None:
    info = pytest.importorskip("qiskit.quantum_info")
    from hqgan.circuits.backends.qiskit_machines import translated

    angles, weights = (x.detach() for x in inputs(ansatz, b, k, seed=seed))
    plan = make_plan(ansatz, angles.dtype, angles.device)
    amplitudes = amplitudes_of(ansatz, angles.transpose(0, 1).contiguous(), weights[:, : plan.absorbed])
    ours = torch_engine.states(plan, amplitudes, weights)
    circuit, parameters = translated(ansatz)
    for i in range(k):
        for j in range(b):
            values = torch.cat((angles[j, i], weights[i].flatten())).tolist()
            bound = circuit.assign_parameters(dict(zip(parameters, values, strict=True)))
            theirs = torch.from_numpy(info.Statevector(bound).reverse_qargs().data)
            assert (ours[i, j].conj() @ theirs).abs().item() == pytest.approx(1, abs=1e-10)


def test_haar_random_states_diverge_as_little_as_chance_allows() -> None:
    random = torch.Generator().manual_seed(0)
    states = torch.randn(2, 20_000, 4, generator=random, dtype=torch.complex128)
    states = states / states.norm(dim=-1, keepdim=True)
    fidelities = (states[0].conj() * states[1]).sum(-1).abs().square()
    assert divergence_from_haar(fidelities, 4) < 2 * 75 / (2 * 20_000)


def test_expressivity_of_one_qubit_against_its_integral() -> None:
    # RY alone keeps a state on a circle: F = cos^2(t / 2), t uniform; Sim et al. call such a circuit poor.
    ansatz = Ansatz(1, 0, encoding=("ry",))
    angles = torch.linspace(0, 2 * math.pi, 1_000_001, dtype=torch.float64)[:-1]
    wanted = divergence_from_haar(torch.cos(angles / 2).square(), 2)
    assert expressivity(ansatz, pairs=20_000) == pytest.approx(wanted, abs=0.01)
    assert wanted > 0.1


def test_more_layers_reach_more_and_entangle_more() -> None:
    circuits = [Ansatz(4, layers) for layers in (0, 1, 4)]
    far = [expressivity(a, pairs=1000) for a in circuits]
    assert far[0] > far[1] > far[2] > 0
    tangled = [entanglement(a, samples=200) for a in circuits]
    assert tangled[0] == pytest.approx(0, abs=1e-5)
    assert tangled[0] < tangled[1] < tangled[2] < 1


def test_too_large_is_one_sentence() -> None:
    with pytest.raises(UserError, match="up to 16 qubits, not 20: lower `qubits`"):
        expressivity(Ansatz(20, 1))


def test_gradients_vanish_with_width_only_where_circuits_are_deep_and_random() -> None:
    deep = [gradient_variance(Ansatz(n, 12), samples=200) for n in (2, 8)]
    assert deep[1] < deep[0] / 8
    calm = [gradient_variance(Ansatz(n, 12), samples=200, spread=0.1) for n in (2, 8)]
    assert calm[1] > calm[0] / 4


def test_variance_of_one_gate_is_known() -> None:
    # <X> of RY(w) RY(x)|0> is sin(x + w), its slope cos(x + w), with mean square 1/2.
    ansatz = Ansatz(1, 1, encoding=("ry",))
    assert gradient_variance(ansatz, samples=20_000) == pytest.approx(0.5, abs=0.02)


def test_a_circuit_without_weights_is_one_sentence() -> None:
    with pytest.raises(UserError, match="0 layers has no weights"):
        gradient_variance(Ansatz(2, 0))
