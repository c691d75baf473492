"""The same ansatz on Qiskit: exactly on Aer, or measured in shots on Aer, with or without noise, and on IBM's fake machines.

Qubit i is Qiskit's qubit i. Qiskit writes it as the lowest bit of a basis index, we as the highest: `_turned` is the one place
that knows. No gradients: these backends are for inference.
"""

from __future__ import annotations

import difflib
import hashlib
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.dispatch import check_inputs
from hqgan.circuits.engines.gates import postselected
from hqgan.circuits.entanglers import ENTANGLERS, required
from hqgan.errors import UserError
from hqgan.types import Backend
from hqgan.wording import plural

# With parameters bound by Aer itself, its removal of unused qubits gives wrong numbers (qiskit-aer 0.18, compare its issue 2359).
_AER = {"enable_truncation": False}


def aer_backend(*, shots: int | None = None, noise: float = 0.0, seed: int = 0) -> Backend:
    """A backend on Qiskit's Aer.

    Args:
        shots: measurements of each circuit in each basis; None for exact numbers, with noise from density matrices (4^n numbers).
        noise: probability that a two-qubit gate is followed by a depolarising error, a tenth of it for rotations.
        seed: of the shots. Equal angles and weights give equal results, in whatever order they are asked for.

    Raises:
        UserError: Qiskit is not installed, or noise is no probability; when run, a circuit is too large.
    """
    require_qiskit()
    if shots is None:
        return partial(_exact, noise=noise)
    return _measured(lambda ansatz: (_noisy(noise), *_untouched(ansatz)), shots, seed, mitigation=0)


def fake_backend(machine: str, *, shots: int = 1024, seed: int = 0, mitigation: int = 0) -> Backend:
    """A backend on Aer that behaves like one of IBM's machines on the day of its snapshot: gates, coupling map and noise.

    Args:
        machine: its name, e.g. ``brisbane``.
        shots: measurements of each circuit in each basis.
        seed: of transpilation and shots.
        mitigation: resilience level of IBM's Estimator. 0: none; 1: readout errors (TREX); 2: and extrapolation to no noise.

    Raises:
        UserError: Qiskit is not installed, or there is no such machine; when run, a circuit does not fit it.
    """
    require_qiskit()
    whole = fake_machine(machine)
    return _measured(lambda ansatz: _placed(whole, ansatz, seed), shots, seed, mitigation)


def fake_machine(name: str) -> Any:
    """IBM's snapshot of a machine; UserError names the nearest where there is none of that name."""
    require_qiskit()
    from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some snapshots say of themselves that they are old
        machines = {m.name.removeprefix("fake_"): m for m in FakeProviderForBackendV2().backends()}
    if name not in machines:
        near = difflib.get_close_matches(name, machines, n=1) or ["brisbane"]
        raise UserError(f"There is no fake machine {name!r} among {len(machines)}; did you mean fake:{near[0]}?")
    return machines[name]


@lru_cache(maxsize=32)
def translated(ansatz: Ansatz) -> tuple[Any, tuple[Any, ...]]:
    """Qiskit's circuit of an ansatz, without measurements, and its parameters: angles (n), then weights (L n R)."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    n, (layers, _, rotations) = ansatz.qubits, ansatz.weight_shape
    x, w = ParameterVector("x", n), ParameterVector("w", ansatz.parameters)
    circuit = QuantumCircuit(n)
    for gate in ansatz.encoding:
        for qubit in range(n):
            getattr(circuit, gate)(x[qubit], qubit)
    for layer in range(layers):
        for r, gate in enumerate(ansatz.rotations):
            for qubit in range(n):
                getattr(circuit, gate)(w[(layer * n + qubit) * rotations + r], qubit)
        for pair in ansatz.pairs:
            getattr(circuit, required(ansatz.entangler, "qiskit", "The Qiskit backend"))(*pair)
    return circuit, (*x, *w)


@lru_cache(maxsize=32)
def transpiled(machine: Any, ansatz: Ansatz, seed: int = 0) -> Any:
    """The ansatz in a machine's own gates along its couplings; UserError if it has too few qubits."""
    from qiskit.transpiler import generate_preset_pass_manager

    if ansatz.qubits > machine.num_qubits:
        has = plural(machine.num_qubits, "qubit")
        raise UserError(f"A circuit of {plural(ansatz.qubits, 'qubit')} does not fit {machine.name}, which has {has}.")
    passes = generate_preset_pass_manager(backend=machine, optimization_level=3, seed_transpiler=seed)
    return passes.run(translated(ansatz)[0])


def require_qiskit() -> None:
    """Raise UserError where Qiskit, Aer or IBM's runtime are missing."""
    try:
        for name in ("qiskit", "qiskit_aer", "qiskit_ibm_runtime"):
            import_module(name)
    except ImportError:
        raise UserError('Backends named aer, fake and ibm need Qiskit: pip install "hqgan[quantum]".') from None


def values_of(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> np.ndarray:
    """(B k, n + L n R) float64: what the parameters of `translated` are in each circuit; UserError where gradients are wanted."""
    check_inputs(ansatz, angles, weights)
    if torch.is_grad_enabled() and (angles.requires_grad or weights.requires_grad):
        raise UserError("Qiskit backends have no gradients: train on statevector or pennylane, then generate on these.")
    rows = weights.detach().flatten(1).expand(len(angles), -1, -1)
    return torch.cat((angles.detach(), rows), 2).flatten(0, 1).double().cpu().numpy()


def in_order(ansatz: Ansatz, values: np.ndarray, angles: Tensor) -> Tensor:
    """(B, k, M) of the rows (B k, M), or of all basis states in our order where there are ancillas."""
    found = torch.from_numpy(values).to(angles.device, angles.dtype).unflatten(0, tuple(angles.shape[:2]))
    return postselected(ansatz, found) if ansatz.ancillas else found


def _turned(probabilities: np.ndarray, qubits: int) -> np.ndarray:
    """Probabilities (rows, 2^n) with Qiskit's bits the other way round."""
    rows = len(probabilities)
    axes = (0, *range(qubits, 0, -1))
    return probabilities.reshape(rows, *(2,) * qubits).transpose(axes).reshape(rows, -1)


def _exact(ansatz: Ansatz, angles: Tensor, weights: Tensor, *, noise: float) -> Tensor:
    from qiskit.quantum_info import Pauli

    values = values_of(ansatz, angles, weights)
    circuit, parameters = translated(ansatz)
    circuit = circuit.copy()
    if ansatz.probabilities:
        circuit.save_probabilities(label="p")
    for i, word in enumerate(ansatz.words):
        letters = "".join(letter for _, letter in word)
        circuit.save_expectation_value(Pauli(letters[::-1]), [qubit for qubit, _ in word], label=f"{i:06d}")
    binds = {parameter: column.tolist() for parameter, column in zip(parameters, values.T, strict=True)}
    method = "density_matrix" if noise else "statevector"
    done = _noisy(noise).run([circuit], parameter_binds=[binds], method=method).result()
    if not done.success:
        kind = "a density matrix of " if noise else ""
        raise UserError(f"Aer could not run {kind}{plural(ansatz.qubits, 'qubit')}: {done.status}.")
    data = [done.data(row) for row in range(len(values))]
    if ansatz.probabilities:
        return in_order(ansatz, _turned(np.array([row["p"] for row in data]), ansatz.qubits), angles)
    return in_order(ansatz, np.array([[row[name] for name in sorted(row)] for row in data]), angles)


def _measured(place: Callable[[Ansatz], tuple[Any, Any, list[int]]], shots: int, seed: int, mitigation: int) -> Backend:
    """Shots on what `place` gives for an ansatz: a simulator, the circuit in its gates, and where each qubit lies."""
    if shots < 1:
        raise UserError(f"A circuit is measured at least once, not {shots} times.")

    def run(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        values = values_of(ansatz, angles, weights)
        by_values = hashlib.sha256(f"{seed}".encode() + values.tobytes()).digest()
        job = submit(
            ansatz, *place(ansatz), values, shots, mitigation, seed=int.from_bytes(by_values[:4], "little") >> 1
        )
        return in_order(ansatz, read(ansatz, job.result()), angles)

    return run


def submit(
    ansatz: Ansatz,
    machine: Any,
    circuit: Any,
    positions: list[int],
    values: np.ndarray,
    shots: int,
    mitigation: int,
    *,
    seed: int | None = None,
    tags: Sequence[str] = (),
) -> Any:
    """Start one job of many circuits, by IBM's Estimator, which also corrects, or its Sampler for probabilities.

    Args:
        ansatz: whose readouts are measured.
        machine: a real one, or an Aer simulator.
        circuit: the ansatz in the machine's gates.
        positions: where each qubit ends up in it.
        values: (rows, parameters), from `values_of`.
        shots: of each row in each basis.
        mitigation: resilience level of expectations.
        seed: of a simulator.
        tags: of the job.
    """
    from qiskit import ClassicalRegister
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_ibm_runtime.executor_estimator import Estimator
    from qiskit_ibm_runtime.executor_sampler import Sampler

    # Qiskit asks for columns in the order of the circuit's own parameters.
    columns = dict(zip(translated(ansatz)[1], values.T, strict=True))
    values = np.stack([columns[parameter] for parameter in circuit.parameters], 1)
    primitive = Sampler(machine) if ansatz.probabilities else Estimator(machine)
    primitive.options.environment.job_tags = list(tags)
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
    """(rows, M) expectations, or shares of all basis states in our order, of a job's result."""
    data = result[0].data
    if not ansatz.probabilities:
        return data.evs.T
    shares = np.zeros((data.meas.shape[0], 2**ansatz.qubits))
    for row in range(len(shares)):
        for state, count in data.meas[row].get_int_counts().items():
            shares[row, state] = count / data.meas.num_shots
    return _turned(shares, ansatz.qubits)


@lru_cache(maxsize=8)
def _noisy(noise: float) -> Any:
    """Aer with depolarising errors."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    if not 0 <= noise <= 1:
        raise UserError(f"A gate's error is a probability from 0 to 1, not {noise}.")
    model = NoiseModel()
    if noise:
        model.add_all_qubit_quantum_error(depolarizing_error(noise / 10, 1), ["rx", "ry", "rz"])
        model.add_all_qubit_quantum_error(
            depolarizing_error(noise, 2), [e.qiskit for e in ENTANGLERS.values() if e.qiskit]
        )
    return AerSimulator(noise_model=model, **_AER)


def _untouched(ansatz: Ansatz) -> tuple[Any, list[int]]:
    return translated(ansatz)[0], list(range(ansatz.qubits))


@lru_cache(maxsize=32)
def _placed(machine: Any, ansatz: Ansatz, seed: int) -> tuple[Any, Any, list[int]]:
    """The part of a machine that a circuit uses, as an Aer simulator; the circuit on it; and where each qubit lies.

    Only a part, since Aer would hold a state of all qubits that are measured, and the Estimator measures all there are.
    """
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = transpiled(machine, ansatz, seed)
    ends = circuit.layout.final_index_layout()[: ansatz.qubits]
    gates = [([circuit.find_bit(q).index for q in step.qubits], step.operation) for step in circuit.data]
    used = sorted({*ends, *(q for qubits, gate in gates if gate.name != "barrier" for q in qubits)})
    new = {q: i for i, q in enumerate(used)}
    small = QuantumCircuit(len(used))
    for qubits, gate in gates:
        if gate.name != "barrier":
            small.append(gate, [new[q] for q in qubits])
    return AerSimulator.from_backend(_part(machine, new), **_AER), small, [new[q] for q in ends]


def _part(machine: Any, new: dict[int, int]) -> Any:
    """A machine of some of another's qubits, with their couplings, gates and errors."""
    from qiskit.providers import BackendV2, Options
    from qiskit.transpiler import Target
    from qiskit_aer import AerSimulator

    whole = machine.target
    properties = [whole.qubit_properties[q] for q in new] if whole.qubit_properties else None
    target = Target(num_qubits=len(new), dt=whole.dt, qubit_properties=properties)
    for name in whole.operation_names:
        places = {q: p for q, p in (whole[name] or {}).items() if q and all(i in new for i in q)}
        if places:
            gate = whole.operation_from_name(name)
            target.add_instruction(gate, {tuple(new[i] for i in q): p for q, p in places.items()}, name=name)

    class Part(BackendV2):
        """What Aer reads a machine's gates and errors from."""

        target = property(lambda self: target)
        max_circuits = None

        @classmethod
        def _default_options(cls) -> Options:
            return Options()

        def run(self, run_input: Any, **options: Any) -> Any:
            return AerSimulator.from_backend(self, **_AER).run(run_input, **options)

    return Part(name=machine.name)
