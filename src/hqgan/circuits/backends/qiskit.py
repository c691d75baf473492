"""The same ansatz on Qiskit: exactly on Aer, or measured in shots on Aer, with or without noise, and on IBM's fake machines.

Qubit 0 is the lowest bit of a basis index in Qiskit and the highest in this package; only `_bits_reversed` converts between them.
These backends have no gradients: they are for inference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends import qiskit_machines as machines
from hqgan.circuits.backends.qiskit_machines import Placed
from hqgan.circuits.engines.dispatch import check_inputs
from hqgan.circuits.engines.gates import postselected
from hqgan.errors import UserError
from hqgan.types import Backend
from hqgan.wording import plural


def aer_backend(*, shots: int | None = None, noise: float = 0.0, seed: int = 0) -> Backend:
    """A backend on Qiskit's Aer.

    Args:
        shots: measurements of each circuit in each basis; None for exact numbers, with noise from density matrices (4^n numbers).
        noise: probability that a two-qubit gate is followed by a depolarising error, a tenth of it for rotations.
        seed: random seed for the shots. Equal angles and weights give equal results, in whatever order they are run.

    Raises:
        UserError: Qiskit is not installed, or noise is no probability. When run: the circuit is too large.
    """
    machines.require_qiskit()
    if shots is None:
        return partial(_exact, noise=noise)

    def place(ansatz: Ansatz) -> Placed:
        return Placed(machines.noisy_simulator(noise), machines.translated(ansatz)[0], list(range(ansatz.qubits)))

    return _measured(place, shots, seed, mitigation=0)


def fake_backend(machine: str, *, shots: int = 1024, seed: int = 0, mitigation: int = 0) -> Backend:
    """A backend on Aer that imitates one of IBM's machines as its snapshot has it: gates, couplings and noise.

    Args:
        machine: its name, e.g. ``brisbane``.
        shots: measurements of each circuit in each basis.
        seed: random seed for transpilation and shots.
        mitigation: resilience level of IBM's Estimator. 0: none; 1: readout errors (TREX); 2: and extrapolation to zero noise.

    Raises:
        UserError: Qiskit is not installed, or there is no such machine. When run: the circuit has too many qubits for it.
    """
    machines.require_qiskit()
    whole = machines.fake_machine(machine)
    return _measured(lambda ansatz: machines.fitted(whole, ansatz, seed), shots, seed, mitigation)


def values_of(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> np.ndarray:
    """(B k, n + L n R) float64: what the parameters of `translated` are in each circuit; UserError where gradients are wanted."""
    check_inputs(ansatz, angles, weights)
    if torch.is_grad_enabled() and (angles.requires_grad or weights.requires_grad):
        raise UserError("Qiskit backends have no gradients: train on statevector or pennylane, then generate on these.")
    rows = weights.detach().flatten(1).expand(len(angles), -1, -1)
    return torch.cat((angles.detach(), rows), 2).flatten(0, 1).double().cpu().numpy()


def in_order(ansatz: Ansatz, values: np.ndarray, angles: Tensor) -> Tensor:
    """Readouts (B, k, M) from rows (B k, M), or from probabilities of all basis states where there are ancillas."""
    found = torch.from_numpy(values).to(angles.device, angles.dtype).unflatten(0, tuple(angles.shape[:2]))
    return postselected(ansatz, found) if ansatz.ancillas else found


def _bits_reversed(probabilities: np.ndarray, qubits: int) -> np.ndarray:
    """Probabilities (rows, 2^n) with Qiskit's bits the other way round."""
    rows = len(probabilities)
    axes = (0, *range(qubits, 0, -1))
    return probabilities.reshape(rows, *(2,) * qubits).transpose(axes).reshape(rows, -1)


def _exact(ansatz: Ansatz, angles: Tensor, weights: Tensor, *, noise: float) -> Tensor:
    from qiskit.quantum_info import Pauli

    values = values_of(ansatz, angles, weights)
    circuit, parameters = machines.translated(ansatz)
    circuit = circuit.copy()
    if ansatz.probabilities:
        circuit.save_probabilities(label="p")
    for i, word in enumerate(ansatz.words):
        letters = "".join(letter for _, letter in word)
        circuit.save_expectation_value(Pauli(letters[::-1]), [qubit for qubit, _ in word], label=f"{i:06d}")
    binds = {parameter: column.tolist() for parameter, column in zip(parameters, values.T, strict=True)}
    method = "density_matrix" if noise else "statevector"
    done = machines.noisy_simulator(noise).run([circuit], parameter_binds=[binds], method=method).result()
    if not done.success:
        kind = "a density matrix of " if noise else ""
        raise UserError(f"Aer could not run {kind}{plural(ansatz.qubits, 'qubit')}: {done.status}.")
    data = [done.data(row) for row in range(len(values))]
    if ansatz.probabilities:
        return in_order(ansatz, _bits_reversed(np.array([row["p"] for row in data]), ansatz.qubits), angles)
    return in_order(ansatz, np.array([[row[name] for name in sorted(row)] for row in data]), angles)


def _measured(place: Callable[[Ansatz], Placed], shots: int, seed: int, mitigation: int) -> Backend:
    """Shots on the simulator on which `place` puts an ansatz."""
    if shots < 1:
        raise UserError(f"A circuit is measured at least once, not {shots} times.")

    def run(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        values = values_of(ansatz, angles, weights)
        by_values = hashlib.sha256(f"{seed}".encode() + values.tobytes()).digest()
        number = int.from_bytes(by_values[:4], "little") >> 1
        job = submit(ansatz, place(ansatz), values, shots, mitigation, tags=[], seed=number)
        return in_order(ansatz, read(ansatz, job.result()), angles)

    return run


def submit(
    ansatz: Ansatz, placed: Placed, values: np.ndarray, shots: int, mitigation: int, tags: list[str], seed: int | None
) -> Any:
    """Start one job of many circuits, by IBM's Estimator, which also corrects, or its Sampler for probabilities.

    Args:
        ansatz: whose readouts are measured.
        placed: the ansatz on a machine.
        values: (rows, parameters), from `values_of`.
        shots: of each row in each basis.
        mitigation: resilience level of expectations.
        tags: of the job.
        seed: of a simulator; None on a real machine.
    """
    from qiskit import ClassicalRegister
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_ibm_runtime.executor_estimator import Estimator
    from qiskit_ibm_runtime.executor_sampler import Sampler

    machine, circuit, positions = placed
    # Qiskit asks for columns in the order of the circuit's own parameters.
    columns = dict(zip(machines.translated(ansatz)[1], values.T, strict=True))
    values = np.stack([columns[parameter] for parameter in circuit.parameters], 1)
    primitive = Sampler(machine) if ansatz.probabilities else Estimator(machine)
    primitive.options.environment.job_tags = tags
    if seed is not None:
        primitive.options.simulator = {"seed_simulator": seed}
    if ansatz.probabilities:
        circuit = circuit.copy()
        circuit.add_register(ClassicalRegister(ansatz.qubits, "meas"))
        circuit.measure(positions, range(ansatz.qubits))
        return primitive.run([(circuit, values)], shots=shots)
    primitive.options.resilience_level = mitigation
    primitive.options.default_shots = shots
    words = (("".join(letter for _, letter in w), [positions[q] for q, _ in w], 1.0) for w in ansatz.words)
    observables = [[SparsePauliOp.from_sparse_list([word], circuit.num_qubits)] for word in words]
    return primitive.run([(circuit, observables, values)])


def read(ansatz: Ansatz, result: Any) -> np.ndarray:
    """(rows, M) expectations, or frequencies of all basis states in our order, of a job's result."""
    data = result[0].data
    if not ansatz.probabilities:
        return data.evs.T
    frequencies = np.zeros((data.meas.shape[0], 2**ansatz.qubits))
    for row in range(len(frequencies)):
        for state, count in data.meas[row].get_int_counts().items():
            frequencies[row, state] = count / data.meas.num_shots
    return _bits_reversed(frequencies, ansatz.qubits)
