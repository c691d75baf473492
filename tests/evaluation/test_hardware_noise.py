"""`hqgan circuits noise`: readouts and images under shots and noise."""

import json

import pytest

from hqgan.evaluation import hardware_noise as noise
from hqgan.evaluation.hardware_noise import CIRCUITS, circuits_of
from hqgan.sampling.load import load
from refusals import sentence_of

pytest.importorskip("qiskit_aer")


def test_readouts_and_images_of_a_run(tiny_run, hqgan, tmp_path):
    options = ("--shots", "16,1024", "--errors", "0.3", "--machines", "", "--images", 12, "--json", tmp_path / "n.json")
    code, out, _ = hqgan("circuits", "noise", tiny_run, *options, "--out", tmp_path / "n.svg")
    assert code == 0
    found = json.loads((tmp_path / "n.json").read_text())
    rows = {(row["noise"], row["shots"]): row for row in found["readouts"]}
    assert len(rows) == len(found["readouts"]) == 6
    assert found["circuits"] >= CIRCUITS
    assert rows["no noise", None]["largest"] < 1e-5
    for shots in (16, 1024):
        row = rows["no noise", shots]
        assert row["root_mean_square"] == pytest.approx(row["expected_of_shots"], rel=0.25)
    biased = rows["depolarising 0.3", None]["root_mean_square"]
    assert biased > 0.01
    assert rows["depolarising 0.3", 1024]["root_mean_square"] == pytest.approx(biased, rel=0.3)
    assert rows["depolarising 0.3", 16]["root_mean_square"] > rows["no noise", 1024]["root_mean_square"]
    assert [(row["noise"], row["shots"]) for row in found["images"]] == [
        ("no noise", None), ("no noise", 1024), ("depolarising 0.3", 1024)
    ]  # fmt: skip
    exact, shot, noisy = (row["grey_levels"]["mean"] for row in found["images"])
    assert exact < 0.01 < shot < noisy
    assert {row["key"] for row in found["images"][0]["metrics"]} == {
        row["key"] for row in found["images"][2]["metrics"]
    }
    assert (tmp_path / "n.svg").exists()
    assert "depolarising 0.3" in out


def test_wide_circuits_have_no_density_matrix(tiny_run, monkeypatch):
    monkeypatch.setattr(noise, "MOST_EXACT", 2)
    found = noise.noise(tiny_run, [8], [0.1], [], [])
    assert [(row["noise"], row["shots"]) for row in found["readouts"]] == [
        ("no noise", None), ("no noise", 8), ("depolarising 0.1", 8)
    ]  # fmt: skip


def test_circuits_are_those_of_the_images(tiny_run):
    loaded = load(tiny_run)
    ansatz, angles, weights = circuits_of(loaded, seed=3)
    assert angles.shape[1:] == (len(weights), ansatz.qubits)
    assert len(angles) * len(weights) in range(CIRCUITS, CIRCUITS + len(weights))
    assert not circuits_of(loaded, seed=4)[1].equal(angles)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--shots", "0"), "--shots takes whole numbers from 1 on"),
        (("--errors", "2"), "--errors takes numbers above 0 and up to 1"),
        (("--machines", "brisban"), "did you mean fake:brisbane"),
        (("--mitigation", "3"), "A level of mitigation is 0, 1 or 2"),
        (("--machines", "", "--shots", "8", "--images", "100000"), "--images takes at most the"),
    ],
)
def test_bad_input_is_one_sentence(tiny_run, hqgan, options, sentence):
    assert sentence in sentence_of(hqgan("circuits", "noise", tiny_run, *options))
