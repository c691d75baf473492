from __future__ import annotations

import pytest
import torch
from circuit_cases import ansatzes, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.circuits.ansatz import Ansatz, paper_ansatz
from hqgan.circuits.backends.qiskit import aer_backend, fake_backend
from hqgan.circuits.backends.qiskit_machines import fake_machine, translated, transpiled
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

EVERYTHING = Ansatz(4, 2, rotations=("rz", "ry"), entangler="cnot", readout=("X0", "Y1", "Z2", "X0Y3"))
PROBABILITIES = Ansatz(3, 2, rotations=("rz", "ry"), entangler="cnot", readout=("probabilities",))


def plain(ansatz: Ansatz, b: int = 2, k: int = 2, dtype: torch.dtype = torch.float64, seed: int = 0) -> list:
    return [x.detach() for x in inputs(ansatz, b, k, dtype, seed)]


@settings(deadline=None, max_examples=25)
@given(ansatzes(max_qubits=6, known_to="qiskit"), st.integers(1, 2), st.integers(1, 2), st.integers(0, 1000))
def test_aer_agrees(ansatz: Ansatz, b: int, k: int, seed: int) -> None:
    arguments = plain(ansatz, b, k, seed=seed)
    torch.testing.assert_close(aer_backend()(ansatz, *arguments), simulate(ansatz, *arguments), rtol=0, atol=1e-10)


def test_ancillas() -> None:
    ansatz = Ansatz(3, 2, ("ry",), ("rz", "ry", "rz"), "cnot", readout=("probabilities",), ancillas=1)
    arguments = plain(ansatz)
    exact = simulate(ansatz, *arguments)
    torch.testing.assert_close(aer_backend()(ansatz, *arguments), exact)
    assert (aer_backend(shots=4000)(ansatz, *arguments) - exact).abs().max() < 0.1


def test_wide_circuits_against_matrix_product_states() -> None:
    from qiskit.quantum_info import Pauli
    from qiskit_aer import AerSimulator

    ansatz = paper_ansatz(40, 3)
    angles, weights = plain(ansatz, 1, 1)
    circuit, parameters = translated(ansatz)
    values = torch.cat((angles.flatten(), weights.flatten())).tolist()
    bound = circuit.assign_parameters(dict(zip(parameters, values, strict=True)))
    for qubit in (0, 1, 20, 39):
        bound.save_expectation_value(Pauli("X"), [qubit], label=str(qubit))
    data = AerSimulator(method="matrix_product_state").run(bound).result().data()
    ours = simulate(ansatz, angles, weights)[0, 0]
    for qubit in (0, 1, 20, 39):
        assert ours[qubit].item() == pytest.approx(data[str(qubit)], abs=1e-9)


@pytest.mark.parametrize("ansatz", [EVERYTHING, PROBABILITIES])
def test_shots_scatter_as_they_should(ansatz: Ansatz) -> None:
    arguments = plain(ansatz, b=4)
    exact = simulate(ansatz, *arguments)
    found = aer_backend(shots=2000)(ansatz, *arguments)
    variance = exact * (1 - exact) if ansatz.probabilities else 1 - exact**2
    z = (found - exact) / (variance / 2000).clamp_min(1e-12).sqrt()
    assert z.abs().max() < 5
    assert 0.5 < z.square().mean().sqrt() < 1.6
    assert torch.equal(found, aer_backend(shots=2000)(ansatz, *arguments))
    assert not torch.equal(found, aer_backend(shots=2000, seed=1)(ansatz, *arguments))


def test_depolarising_noise_draws_expectations_to_zero() -> None:
    ansatz = Ansatz(3, 3)
    arguments = plain(ansatz, 3, 1)
    exact = simulate(ansatz, *arguments)
    sizes = [aer_backend(shots=4000, noise=p)(ansatz, *arguments).abs().mean().item() for p in (0.0, 0.1, 0.4)]
    assert sizes[0] == pytest.approx(exact.abs().mean().item(), abs=0.03)
    assert sizes[0] > sizes[1] > sizes[2]
    for p, size in zip((0.1, 0.4), sizes[1:], strict=True):
        without_shots = aer_backend(noise=p)(ansatz, *arguments)
        assert without_shots.abs().mean().item() == pytest.approx(size, abs=0.03)


@pytest.mark.parametrize("mitigation", [0, 1])
def test_a_fake_machine_is_near_and_not_exact(mitigation: int) -> None:
    # X and Z of five qubits on a machine of 127: the transpiler moves and turns qubits, the readouts must follow.
    ansatz = Ansatz(5, 2, readout=("X0", "Z0", "Z4", "Y2", "X1Z3"))
    arguments = plain(ansatz, 1, 2)
    found = fake_backend("brisbane", shots=2000, mitigation=mitigation)(ansatz, *arguments)
    apart = (found - simulate(ansatz, *arguments)).abs()
    assert 1e-4 < apart.mean() < 0.1
    assert apart.max() < 0.25


def test_probabilities_of_a_fake_machine() -> None:
    arguments = plain(PROBABILITIES)
    found = fake_backend("brisbane", shots=2000)(PROBABILITIES, *arguments)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 2, dtype=torch.float64))
    assert (found - simulate(PROBABILITIES, *arguments)).abs().max() < 0.15


def test_transpiled_to_the_machines_own_gates() -> None:
    machine = fake_machine("brisbane")
    circuit = transpiled(machine, paper_ansatz(6, 2))
    assert set(circuit.count_ops()) <= {"ecr", "rz", "sx", "x"}
    couplings = set(machine.coupling_map.get_edges())
    for step in circuit.get_instructions("ecr"):
        assert tuple(circuit.find_bit(q).index for q in step.qubits) in couplings


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(UserError, match="no fake machine 'brisban' among .* did you mean fake:brisbane"):
        fake_backend("brisban")
    with pytest.raises(UserError, match=r"of 9 qubits does not fit fake_lagos, which has 7 qubits"):
        fake_backend("lagos")(Ansatz(9, 1), *plain(Ansatz(9, 1)))
    with pytest.raises(UserError, match="could not run a density matrix of 20 qubits"):
        aer_backend(noise=0.1)(Ansatz(20, 1), *plain(Ansatz(20, 1)))
    with pytest.raises(UserError, match="probability from 0 to 1, not 2"):
        aer_backend(noise=2, shots=10)(EVERYTHING, *plain(EVERYTHING))
    with pytest.raises(UserError, match="at least once, not 0"):
        aer_backend(shots=0)
    with pytest.raises(UserError, match="have no gradients"):
        aer_backend()(EVERYTHING, *inputs(EVERYTHING, 1, 1))
    with pytest.raises(UserError, match=r"Angles are \(B, 2, 4\)"):
        aer_backend()(EVERYTHING, torch.zeros(1, 2, 3), torch.zeros(2, 2, 4, 2))
