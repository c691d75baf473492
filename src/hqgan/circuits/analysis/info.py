"""What `hqgan circuits info` prints of a circuit: sizes, what its readouts depend on, and what a gradient costs here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.light_cones import light_cones


def figures(ansatz: Ansatz, machines: Sequence[str] = ()) -> dict[str, Any]:
    """Plain numbers, ready for JSON.

    `depth` and `two_qubit_gates` count gates in the ansatz's order, each as early as its qubits are free; `machines` maps each
    fake machine to the same after transpilation; `gradient_ms` is the fastest of three calls for one circuit's readouts and
    gradient, in float32, after one to warm up.
    """
    cones = light_cones(ansatz)
    return {
        "qubits": ansatz.qubits,
        "layers": ansatz.layers,
        "parameters": ansatz.parameters,
        "readouts": ansatz.readouts,
        "depth": _depth(ansatz),
        "two_qubit_gates": ansatz.layers * len(ansatz.pairs),
        "largest_light_cone": max(cone.ansatz.qubits for cone in cones),
        "machines": {name: _on(name, ansatz) for name in machines},
        "gradient_ms": _gradient_ms(ansatz),
    }


def table(found: dict[str, Any]) -> Any:
    """A rich table of `figures`' result."""
    from rich.table import Table

    result = Table(show_header=False)
    result.add_column()
    result.add_column(justify="right")
    for title, key in (
        ("qubits", "qubits"),
        ("layers", "layers"),
        ("parameters", "parameters"),
        ("readouts", "readouts"),
        ("depth", "depth"),
        ("two-qubit gates", "two_qubit_gates"),
        ("qubits that a readout depends on, at most", "largest_light_cone"),
    ):
        result.add_row(title, f"{found[key]:,}")
    for name, on in found["machines"].items():
        result.add_row(f"on fake:{name}: depth", f"{on['depth']:,}")
        result.add_row(f"on fake:{name}: two-qubit gates", f"{on['two_qubit_gates']:,}")
    result.add_row("readouts and gradient of one circuit here, ms", f"{found['gradient_ms']:.2f}")
    return result


def _depth(ansatz: Ansatz) -> int:
    """Moments, each gate as early as its qubits are free."""
    free = [len(ansatz.encoding)] * ansatz.qubits
    for _ in range(ansatz.layers):
        free = [moment + len(ansatz.rotations) for moment in free]
        for a, b in ansatz.pairs:
            free[a] = free[b] = max(free[a], free[b]) + 1
    return max(free)


def _on(machine: str, ansatz: Ansatz) -> dict[str, int]:
    from hqgan.circuits.backends.qiskit import fake_machine, transpiled

    circuit = transpiled(fake_machine(machine), ansatz)
    return {"depth": circuit.depth(), "two_qubit_gates": circuit.num_nonlocal_gates()}


def _gradient_ms(ansatz: Ansatz) -> float:
    random = torch.Generator().manual_seed(0)
    angles = torch.rand(1, 1, ansatz.qubits, generator=random).requires_grad_()
    weights = torch.rand(1, *ansatz.weight_shape, generator=random).requires_grad_()
    times = []
    for _ in range(4):
        start = time.perf_counter()
        simulate(ansatz, angles, weights).sum().backward()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times[1:])
