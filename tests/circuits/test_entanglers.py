"""The table of entanglers: its rows are right, one row is enough, and what a row lacks is refused by name everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from circuit_cases import assert_agree, inputs

from hqgan.circuits import reference as reference_module
from hqgan.circuits.analysis import drawing
from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends import ibm, qiskit_machines
from hqgan.circuits.backends.registry import backend_of
from hqgan.circuits.engines import dispatch, small
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.entanglers import ENTANGLERS, NO_ENTANGLER, Entangler
from hqgan.circuits.light_cones import light_cones
from hqgan.circuits.reference import reference
from hqgan.config.generators import CircuitConfig
from hqgan.errors import UserError

PAULIS = {
    "I": torch.eye(2, dtype=torch.complex128),
    "X": torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128),
    "Y": torch.tensor([[0, -1j], [1j, 0]]).to(torch.complex128),
    "Z": torch.tensor([[1, 0], [0, -1]], dtype=torch.complex128),
}


def on_engine(engine: str) -> Callable[[Ansatz, Path], object]:
    def run(ansatz: Ansatz, folder: Path) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dispatch, "engine_for", lambda ansatz, device: engine)
            # Not `simulate`, where the search for light cones would be the first to refuse.
            return dispatch._whole(ansatz, *(x.detach() for x in inputs(ansatz, 1, 1)))

    return run


def on_backend(name: str) -> Callable[[Ansatz, Path], object]:
    def run(ansatz: Ansatz, folder: Path) -> object:
        pytest.importorskip("pennylane" if name == "pennylane" else "qiskit_ibm_runtime")
        shots = 10 if name.startswith("fake") else None
        return backend_of(name, shots=shots)(ansatz, *(x.detach() for x in inputs(ansatz, 1, 1)))

    return run


def on_ibm(ansatz: Ansatz, folder: Path) -> object:
    pytest.importorskip("qiskit_ibm_runtime")
    import ibm_stand_in

    service = ibm_stand_in.Service(folder / "service")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ibm, "_service", lambda: service)
        patch.setattr(ibm, "submit", service.submit)
        backend = backend_of("ibm:lagos", folder=folder, confirm=lambda plan: True)
        return backend(ansatz, *(x.detach() for x in inputs(ansatz, 1, 1)))


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """What is kept for a circuit is kept by its entangler's name, which means something else in each of these tests."""
    kept = (
        dispatch.make_plan,
        small.program_of,
        light_cones,
        qiskit_machines.translated,
        qiskit_machines.transpiled,
        qiskit_machines.fitted,
    )
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


USERS: dict[str, Callable[[Ansatz, Path], object]] = {
    "reference": lambda ansatz, folder: reference(ansatz, *inputs(ansatz, 1, 1)),
    "simulate": lambda ansatz, folder: simulate(ansatz, *inputs(ansatz, 1, 1)),
    "small circuits": on_engine("small"),
    "torch engine": on_engine("torch"),
    "compiled engine": on_engine("compiled"),
    "light cones": lambda ansatz, folder: light_cones(ansatz),
    "pennylane": on_backend("pennylane"),
    "aer": on_backend("aer"),
    "fake machine": on_backend("fake:lagos"),
    "ibm": on_ibm,
    "drawing as text": lambda ansatz, folder: drawing.drawn(ansatz),
    "drawing as a picture": lambda ansatz, folder: drawing.draw(ansatz, folder / "circuit.svg"),
}


def planted(patch: pytest.MonkeyPatch, row: Entangler) -> Ansatz:
    patch.setitem(ENTANGLERS, "planted", row)
    return Ansatz(3, 2, entangler="planted")


@pytest.mark.parametrize("user", USERS)
def test_a_name_added_without_what_is_needed_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: str
) -> None:
    ansatz = planted(monkeypatch, Entangler())
    with pytest.raises(UserError, match="does not know the entangler 'planted'"):
        USERS[user](ansatz, tmp_path)


@pytest.mark.parametrize("user", USERS)
def test_a_name_in_no_table_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: str) -> None:
    ansatz = planted(monkeypatch, Entangler())
    monkeypatch.undo()
    with pytest.raises(UserError, match="does not know the entangler 'planted'"):
        USERS[user](ansatz, tmp_path)
    with pytest.raises(UserError, match="Unknown entangler .planted.: it is one of cz, cnot"):
        replace(ansatz, layers=1)


@pytest.mark.parametrize(
    ("field", "users"),
    [
        ("signs", {"simulate", "small circuits", "torch engine", "compiled engine", "light cones", "drawing as text"}),
        ("paulis", {"simulate", "compiled engine"}),
        ("pennylane", {"pennylane"}),
        ("qiskit", {"aer", "fake machine", "ibm"}),
        ("symbols", {"drawing as text", "drawing as a picture"}),
    ],
)
def test_each_field_is_asked_for_by_those_who_need_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str, users: set[str]
) -> None:
    monkeypatch.setattr(dispatch, "engine_for", lambda ansatz, device: "compiled")
    ansatz = planted(monkeypatch, replace(ENTANGLERS["cz"], **{field: None}))
    for user in users:
        with pytest.raises(UserError, match="does not know the entangler 'planted'"):
            USERS[user](ansatz, tmp_path)
    for user in {"small circuits", "torch engine", "light cones", "pennylane", "aer", "drawing as text"} - users:
        USERS[user](ansatz, tmp_path)


NEW = {
    "double CNOT": (
        Entangler(permutation=(0, 3, 1, 2), paulis=("IX", "ZZ", "XX", "ZI")),
        [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]],
    ),
    "swap": (
        Entangler(permutation=(0, 2, 1, 3), paulis=("IX", "IZ", "XI", "ZI")),
        [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
    ),
    "Z controlled by |0>": (
        Entangler(signs=(1, -1, 1, 1), paulis=("XZ", "ZI", "ZX", "IZ")),
        [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    ),
}


@pytest.fixture(params=NEW)
def _new(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    row, matrix = NEW[request.param]
    monkeypatch.setitem(ENTANGLERS, "new", row)
    monkeypatch.setitem(reference_module._ENTANGLERS, "new", matrix)


@pytest.mark.usefixtures("_new")
@pytest.mark.parametrize("engine", ["small", "compiled", "torch"])
@pytest.mark.parametrize(
    "ansatz_of",
    [
        lambda: Ansatz(6, 3, entangler="new"),
        lambda: Ansatz(5, 2, ("rx", "rz"), ("rz", "ry", "rx"), "new", ((3, 0), (1, 2), (0, 4)), ("X0", "Y1", "Y0Z3")),
        lambda: Ansatz(4, 2, rotations=("rx", "ry"), entangler="new", readout=("probabilities",)),
    ],
)
def test_a_row_is_enough_for_the_simulator(
    monkeypatch: pytest.MonkeyPatch, engine: str, ansatz_of: Callable[[], Ansatz]
) -> None:
    monkeypatch.setattr(dispatch, "engine_for", lambda ansatz, device: engine)
    ansatz = ansatz_of()
    assert_agree(simulate, reference, ansatz, 2, 2, seed=0)
    angles, weights = (x.detach() for x in inputs(ansatz, 2, 2))  # of many turns, so that Paulis pass the entanglers
    torch.testing.assert_close(simulate(ansatz, angles, 9 * weights), reference(ansatz, angles, 9 * weights))


def test_the_config_takes_every_row() -> None:
    assert get_args(CircuitConfig.model_fields["entangler"].annotation) == (*ENTANGLERS, NO_ENTANGLER)


@pytest.mark.parametrize("name", ENTANGLERS)
def test_the_fields_of_a_row_are_the_same_gate(name: str) -> None:
    row = ENTANGLERS[name]
    gate = torch.tensor(reference_module._ENTANGLERS[name], dtype=torch.complex128)
    assert (row.signs is None) != (row.permutation is None)
    if row.signs is not None:
        assert row.signs[0] == 1
        assert torch.equal(gate, torch.diag(torch.tensor(row.signs)).to(gate))
    else:
        assert torch.equal(gate, torch.eye(4)[torch.tensor(row.permutation)].T.to(gate))
    assert row.paulis is not None
    for before, after in zip(("XI", "ZI", "IX", "IZ"), row.paulis, strict=True):
        one, other = (torch.kron(PAULIS[a], PAULIS[b]) for a, b in (before, after))
        passed = gate @ one @ gate.mH
        assert torch.equal(passed, other) or torch.equal(passed, -other)


@pytest.mark.parametrize("name", ENTANGLERS)
def test_other_libraries_mean_the_same_gate(name: str) -> None:
    qml, library = pytest.importorskip("pennylane"), pytest.importorskip("qiskit")
    operators = pytest.importorskip("qiskit.quantum_info")
    gate, row = torch.tensor(reference_module._ENTANGLERS[name], dtype=torch.complex128), ENTANGLERS[name]
    if row.pennylane is not None:
        assert torch.equal(torch.from_numpy(getattr(qml, row.pennylane)([0, 1]).matrix()).to(gate), gate)
    if row.qiskit is not None:
        circuit = library.QuantumCircuit(2)
        getattr(circuit, row.qiskit)(1, 0)  # Qiskit's lowest bit is its first qubit
        assert circuit.data[0].operation.name == row.qiskit  # by which Aer's noise finds it
        torch.testing.assert_close(torch.from_numpy(operators.Operator(circuit).data), gate)


def test_every_field_of_a_row_is_described() -> None:
    assert Entangler.__doc__ is not None
    assert all(f"\n        {field.name}: " in Entangler.__doc__ for field in fields(Entangler))
