"""Circuits in Qiskit's form, and the simulators and machines that run them. Qubit i is Qiskit's qubit i."""

from __future__ import annotations

import difflib
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.entanglers import ENTANGLERS, required
from hqgan.errors import UserError
from hqgan.wording import plural

# With parameters bound by Aer itself, its removal of unused qubits gives wrong numbers (qiskit-aer 0.18, compare its issue 2359).
AER_OPTIONS = {"enable_truncation": False}


class Placed(NamedTuple):
    """An ansatz on a machine."""

    machine: Any  # a real one, or an Aer simulator
    circuit: Any  # in the machine's gates
    positions: list[int]  # where each qubit ends up in it


def require_qiskit() -> None:
    """Raise UserError where Qiskit, Aer or IBM's runtime are missing."""
    try:
        for name in ("qiskit", "qiskit_aer", "qiskit_ibm_runtime"):
            import_module(name)
    except ImportError:
        raise UserError('Backends named aer, fake and ibm need Qiskit: pip install "hqgan[quantum]".') from None


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


@lru_cache(maxsize=8)
def noisy_simulator(noise: float) -> Any:
    """Aer with depolarising errors: after a two-qubit gate with probability `noise`, after a rotation with a tenth of it."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    if not 0 <= noise <= 1:
        raise UserError(f"A gate's error is a probability from 0 to 1, not {noise}.")
    model = NoiseModel()
    if noise:
        model.add_all_qubit_quantum_error(depolarizing_error(noise / 10, 1), ["rx", "ry", "rz"])
        names = [e.qiskit for e in ENTANGLERS.values() if e.qiskit]
        model.add_all_qubit_quantum_error(depolarizing_error(noise, 2), names)
    return AerSimulator(noise_model=model, **AER_OPTIONS)


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
def fitted(machine: Any, ansatz: Ansatz, seed: int) -> Placed:
    """A circuit on the part of a machine that it uses, as an Aer simulator.

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
    return Placed(AerSimulator.from_backend(_part(machine, new), **AER_OPTIONS), small, [new[q] for q in ends])


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
            return AerSimulator.from_backend(self, **AER_OPTIONS).run(run_input, **options)

    return Part(name=machine.name)
