"""What `hqgan circuits info` prints of a circuit: sizes, what its readouts depend on, and what a gradient costs here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.qiskit_machines import fake_machine, transpiled
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.light_cones import light_cones

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class MachineInfo:
    """A circuit after transpilation to a machine: `depth` in gates, and `two_qubit_gates`."""

    depth: int
    two_qubit_gates: int


@dataclass(frozen=True)
class CircuitInfo:
    """Numbers that describe a circuit.

    Attributes:
        qubits: n.
        layers: L.
        parameters: trainable weights.
        readouts: numbers measured.
        depth: of the ansatz's gates in their order, each taken as early as its qubits are free.
        two_qubit_gates: of all layers.
        largest_light_cone: qubits that a readout depends on, at most.
        machines: depth and two-qubit gates after transpilation, by fake machine.
        gradient_ms: milliseconds for one circuit's readouts and gradient in float32 on this computer, the fastest of three calls
            after one to warm up.
    """

    qubits: int
    layers: int
    parameters: int
    readouts: int
    depth: int
    two_qubit_gates: int
    largest_light_cone: int
    machines: dict[str, MachineInfo]
    gradient_ms: float


def circuit_info(ansatz: Ansatz, machines: Sequence[str] = ()) -> CircuitInfo:
    """Count and time a circuit, and transpile it to each of IBM's fake `machines`."""
    transpilations = {name: transpiled(fake_machine(name), ansatz) for name in machines}
    return CircuitInfo(
        qubits=ansatz.qubits,
        layers=ansatz.layers,
        parameters=ansatz.parameters,
        readouts=ansatz.readouts,
        depth=_depth(ansatz),
        two_qubit_gates=ansatz.layers * len(ansatz.pairs),
        largest_light_cone=max(cone.ansatz.qubits for cone in light_cones(ansatz)),
        machines={n: MachineInfo(t.depth(), t.num_nonlocal_gates()) for n, t in transpilations.items()},
        gradient_ms=_gradient_ms(ansatz),
    )


def info_table(info: CircuitInfo) -> Table:
    """A rich table of a circuit's numbers."""
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for title, value in (
        ("qubits", info.qubits),
        ("layers", info.layers),
        ("parameters", info.parameters),
        ("readouts", info.readouts),
        ("depth", info.depth),
        ("two-qubit gates", info.two_qubit_gates),
        ("qubits that a readout depends on, at most", info.largest_light_cone),
    ):
        table.add_row(title, f"{value:,}")
    for name, on in info.machines.items():
        table.add_row(f"on fake:{name}: depth", f"{on.depth:,}")
        table.add_row(f"on fake:{name}: two-qubit gates", f"{on.two_qubit_gates:,}")
    table.add_row("readouts and gradient of one circuit here, ms", f"{info.gradient_ms:.2f}")
    return table


def _depth(ansatz: Ansatz) -> int:
    """Time steps, with each gate as early as its qubits are free."""
    free = [len(ansatz.encoding)] * ansatz.qubits
    for _ in range(ansatz.layers):
        free = [moment + len(ansatz.rotations) for moment in free]
        for a, b in ansatz.pairs:
            free[a] = free[b] = max(free[a], free[b]) + 1
    return max(free)


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
