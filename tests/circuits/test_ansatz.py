from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from hqgan.circuits.ansatz import Ansatz, brickwork, chain, paper_ansatz, ring
from hqgan.errors import UserError


def test_paper_counts() -> None:
    ansatz = paper_ansatz()
    assert ansatz.weight_shape == (8, 16, 1)
    assert 5 * ansatz.parameters == 640  # DESIGN.md: five sub-generators hold 640 weights
    assert ansatz.readouts == 16
    assert ansatz.real


def test_pair_patterns() -> None:
    assert chain(1) == ring(1) == ()
    assert chain(4) == ((0, 1), (1, 2), (2, 3))
    assert ring(2) == ((0, 1),)
    assert ring(3) == ((0, 1), (1, 2), (2, 0))
    assert brickwork(5) == ((0, 1), (2, 3), (1, 2), (3, 4))


def test_json_round_trip_and_hash() -> None:
    ansatz = Ansatz(5, 2, ("rx",), ("rz", "ry"), "cnot", ring(5), ("Z0Z4", "Y2"))
    again = Ansatz(**json.loads(json.dumps(asdict(ansatz))))
    assert again == ansatz
    assert hash(again) == hash(ansatz)


def test_defaults_are_spelt_out() -> None:
    assert Ansatz(3, 1) == Ansatz(3, 1, pairs=chain(3), readout=("X0", "X1", "X2"))
    assert Ansatz(3, 1, entangler="none").pairs == ()
    assert Ansatz(3, 1, readout="probabilities").readouts == 8  # type: ignore[arg-type]
    assert Ansatz(3, 1, readout="probabilities", ancillas=1).readouts == 4  # type: ignore[arg-type]


def test_real() -> None:
    assert Ansatz(2, 1, readout=("X0", "Z0Z1")).real
    assert not Ansatz(2, 1, readout=("X0", "Y1")).real
    assert not Ansatz(2, 1, rotations=("ry", "rz")).real


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"qubits": 0}, "whole number of qubits, at least 1, not 0"),
        ({"qubits": 2.5}, "not 2.5"),
        ({"layers": -1}, "whole number of layers, at least 0, not -1"),
        ({"encoding": ("ry", "rq")}, "Unknown gate 'rq' in the encoding of an ansatz: it is one of rx, ry and rz"),
        ({"rotations": ()}, "at least one gate in its rotations"),
        ({"entangler": "swap"}, "Unknown entangler 'swap': it is one of cz, cnot and none"),
        ({"entangler": "none", "pairs": ((0, 1),)}, "without entangler has no pairs, but 1"),
        ({"pairs": ((0, 3),)}, r"pair \(0, 3\) does not join two of the 3 qubits"),
        ({"pairs": ((1, 1),)}, r"pair \(1, 1\) does not join"),
        ({"pairs": ((-1, 1),)}, r"pair \(-1, 1\) does not join"),
        ({"readout": ("X0", "Q1")}, "'Q1' is no readout"),
        ({"readout": ("X0", "probabilities")}, "'probabilities' is no readout"),
        ({"readout": ("X3",)}, "X3 is out of range: the ansatz has 3 qubits"),
        ({"readout": ("X0Z0",)}, "X0Z0 names a qubit twice"),
        ({"readout": ("X0Z1", "Z1X0")}, "listed twice among X0Z1, Z1X0"),
        ({"readout": ("probabilities",), "ancillas": 3}, "of 3 qubits cannot have 3 ancillas"),
        ({"ancillas": 1}, "Ancillas are for the readout probabilities, not for X0, X1, X2"),
        ({"ancillas": -1}, "whole number of ancillas, at least 0, not -1"),
    ],
)
def test_bad_values_are_one_sentence(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Ansatz(**{"qubits": 3, "layers": 1, **fields})
    assert "\n" not in str(caught.value)


def test_describing_a_circuit_loads_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, hqgan.circuits.ansatz; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
