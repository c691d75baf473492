from __future__ import annotations

from pathlib import Path

import pytest
from circuit_cases import ansatzes
from hypothesis import given

from hqgan.circuits.analysis.drawing import columns, draw, drawn
from hqgan.circuits.ansatz import Ansatz, paper_ansatz, ring
from hqgan.circuits.entanglers import is_diagonal
from hqgan.errors import UserError


def test_a_small_circuit_as_text() -> None:
    wanted = """\
q0 ─RY(x0)─┊─RZ──●─────⊕─┊─<X> <Z>─
           ┊     │     │ ┊
q1 ─RY(x1)─┊─RZ──⊕──●──┼─┊──<Z1Z2>─
           ┊        │  │ ┊
q2 ─RY(x2)─┊─RZ─────⊕──●─┊──<Z1Z2>─

Between the dotted lines: a layer, 2 times, with weights of its own."""
    readout = ("X0", "Z0", "Z1Z2")
    assert drawn(Ansatz(3, 2, ("ry",), ("rz",), "cnot", ring(3), readout)) == wanted


def test_czs_stand_side_by_side_and_cnots_in_order() -> None:
    assert len(columns(paper_ansatz())[1]) == 1 + 2
    assert len(columns(Ansatz(16, 8, entangler="cnot"))[1]) == 1 + 15
    assert "|0>" in drawn(Ansatz(3, 1, readout=("probabilities",), ancillas=1))


@given(ansatzes(known_to="symbols"))
def test_every_gate_is_drawn_once(ansatz: Ansatz) -> None:
    encoding, layer, _ = columns(ansatz)
    assert len(encoding) == len(ansatz.encoding)
    joins = [pair for column in layer for pair in column.joins]
    assert sorted(joins) == sorted(ansatz.pairs)
    if ansatz.pairs and not is_diagonal(ansatz.entangler, "This test"):
        # On each qubit, in order.
        for q in range(ansatz.qubits):
            assert [p for p in joins if q in p] == [p for p in ansatz.pairs if q in p]
    widths = {len(line) for line in drawn(ansatz).splitlines() if line.startswith("q")}
    assert len(widths) == 1


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_pictures(tmp_path: Path, ending: str) -> None:
    draw(paper_ansatz(), tmp_path / f"c{ending}")
    assert (tmp_path / f"c{ending}").stat().st_size > 5000


def test_bad_pictures_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="up to 64 qubits, not 100"):
        drawn(Ansatz(100, 1))
    with pytest.raises(UserError, match="up to 64 qubits, not 100"):
        draw(Ansatz(100, 1), tmp_path / "a.svg")
    with pytest.raises(UserError, match=r"a\.gif is no \.svg or \.png"):
        draw(Ansatz(2, 1), tmp_path / "a.gif")
