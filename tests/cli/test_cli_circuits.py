"""`hqgan circuits`: what it prints, and one sentence for bad input."""

import json

import pytest

from refusals import sentence_of


def test_draw(hqgan, tmp_path):
    code, out, _ = hqgan("circuits", "draw", "demo")
    assert code == 0
    assert "4 times" in out
    assert len([line for line in out.splitlines() if line.startswith("q")]) == 4
    assert hqgan("circuits", "draw", "--out", tmp_path / "c.svg")[0] == 0
    assert (tmp_path / "c.svg").exists()


def test_info_of_a_wide_circuit(hqgan, tmp_path):
    code, out, _ = hqgan("circuits", "info", "--qubits", 127, "--depth", 3, "--json", tmp_path / "i.json")
    assert code == 0
    found = json.loads((tmp_path / "i.json").read_text())
    assert found["parameters"] == 3 * 127
    assert found["two_qubit_gates"] == 3 * 126
    assert found["largest_light_cone"] == 7
    assert found["gradient_ms"] > 0
    assert "381" in out


@pytest.mark.parametrize(("name", "qubits"), [("mosaiq", 5), ("pqwgan", 9), ("latentqgan", 4), ("hqgan-frozen", 8)])
def test_peers_and_ablations_have_circuits_to_look_at(hqgan, tmp_path, name, qubits):
    assert hqgan("circuits", "info", name, "--depth", 2, "--json", tmp_path / "i.json")[0] == 0
    found = json.loads((tmp_path / "i.json").read_text())
    assert (found["qubits"], found["layers"]) == (qubits, 2)
    assert hqgan("circuits", "draw", name)[0] == 0


def test_gradients_of_a_preset_of_fixed_width(hqgan, tmp_path):
    assert (
        hqgan("circuits", "gradients", "latentqgan", "--depths", 1, "--samples", 20, "--json", tmp_path / "g")[0] == 0
    )
    assert [row["qubits"] for row in json.loads((tmp_path / "g").read_text())["rows"]] == [4]


def test_info_on_a_machine(hqgan, tmp_path):
    pytest.importorskip("qiskit_ibm_runtime")
    code, *_ = hqgan("circuits", "info", "demo", "--machine", "brisbane", "--json", tmp_path / "i.json")
    assert code == 0
    found = json.loads((tmp_path / "i.json").read_text())
    # A chain fits the machine's couplings: not a swap is needed, and one gate makes a CZ.
    assert found["machines"]["brisbane"]["two_qubit_gates"] == found["two_qubit_gates"] == 12
    assert found["machines"]["brisbane"]["depth"] > found["depth"]


def test_expressivity_and_gradients(hqgan, tmp_path):
    code, out, _ = hqgan("circuits", "expressivity", "demo", "--depths", 0, 2, "--pairs", 200, "--json", tmp_path / "e")
    assert code == 0
    rows = json.loads((tmp_path / "e").read_text())
    assert [row["layers"] for row in rows] == [0, 2]
    assert rows[0]["divergence_from_haar"] > rows[1]["divergence_from_haar"]
    assert f"{rows[1]['entanglement']:.3f}" in out
    sizes = "--qubits", "2,4", "--depths", "1,3", "--samples", 50
    code, out, _ = hqgan("circuits", "gradients", *sizes, "--json", tmp_path / "g", "--out", tmp_path / "g.svg")
    assert code == 0
    assert len(json.loads((tmp_path / "g").read_text())["rows"]) == 4
    assert (tmp_path / "g.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("info", "dcgan"), "preset dcgan has no circuits"),
        (("info", "hqgan-mlp"), "preset hqgan-mlp has no circuits"),
        (("info", "pqwgan", "--qubits", 4), "circuits of preset pqwgan take no --qubits"),
        (("info", "--qubits", 40, "--depth", 40), "40 qubits need 32,768 GiB"),
        (("info", "--qubits", 300), "qubits: input should be less than or equal to 256 (it is 300)"),
        (("draw", "papr"), "no preset 'papr'"),
        (("draw", "--qubits", 100), "up to 64 qubits, not 100"),
        (("draw", "--out", "c.gif"), "c.gif is no .svg or .png"),
        (
            ("gradients", "--depths", "0,1"),
            "--depths takes whole numbers from 1 on, as in 1 2 4, not '0,1'",
        ),
        (("expressivity", "--qubits", 20), "up to 16 qubits, not 20"),
        (("info", "--set", "generator.circuit.entangler=swap"), "generator.circuit.entangler"),
    ],
)
def test_bad_input_is_one_sentence(hqgan, arguments, sentence):
    assert sentence in sentence_of(hqgan("circuits", *arguments))
