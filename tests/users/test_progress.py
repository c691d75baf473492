"""What people see while hqgan works, on the command line and from Python."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

import hqgan as package

TWO_STEPS = {"data.size": 32, "training.batch": 8}


def test_two_batches_make_no_rate(hqgan, tmp_path):
    small = ("--set", "data.size=32", "--set", "training.batch=8", "--kimg", "0.016")
    code, _, err = hqgan("train", "--data", "demo:160", "--preset", "demo", *small, "--out", tmp_path / "run")
    assert code == 0, err
    line = next(line for line in err.splitlines() if line.startswith("training: 16 of 16 images"))
    assert not re.search(r"images/(s|min)", line)


def test_presets_are_listed_without_timing_them(hqgan):
    code, out, _ = hqgan("presets")
    assert code == 0
    assert "stylegan2-ada" in out
    assert "s an epoch" not in out


@pytest.mark.slow
def test_presets_are_timed_when_asked_for(hqgan):
    code, out, _ = hqgan("presets", "--time", "--epoch", "160")
    assert code == 0
    assert re.search(r"^hqgan +\d+$", out, re.MULTILINE)


def test_training_from_python_shows_progress_unless_told_otherwise(tmp_path, capsys):
    package.train("demo:160", tmp_path / "shown", preset="demo", kimg=0.016, changes=TWO_STEPS)
    assert "training: 16 of 16 images" in capsys.readouterr().err
    package.train("demo:160", tmp_path / "silent", preset="demo", kimg=0.016, changes=TWO_STEPS, verbose=False)
    assert capsys.readouterr() == ("", "")


def test_models_and_data_describe_themselves_in_a_line(tiny_run):
    model = package.load(tiny_run)
    text = repr(model)
    assert "\n" not in text
    assert len(text) < 200
    wanted = ("demo", f"{len(model.classes)} classes", "32 x 32 pixels", "0.064 kimg", "parameters")
    assert all(words in text for words in wanted)
    for thing in model.data():
        assert len(repr(thing)) < 200


LONG = {
    "generate": (("generate", "RUN", "--per-class", "1", "--backend", "aer", "--out", "OUT"), ["generating"]),
    "evaluate": (("evaluate", "RUN"), ["generating", "measuring"]),
    "audit": (("audit", "RUN", "--out", "OUT"), ["generating", "comparing", "attacking"]),
    "circuits gradients": (
        ("circuits", "gradients", "--qubits", "2", "--depths", "1", "--samples", "10"),
        ["circuits"],
    ),
    "circuits noise": (("circuits", "noise", "RUN", "--machines", "", "--shots", "64"), ["settings"]),
    "data inspect": (("data", "inspect", "FOLDER", "--size", "32"), ["reading", "decoding", "comparing"]),
}
"""Commands that may take long, and the parts whose progress they show."""


@pytest.fixture
def terminal(monkeypatch, hqgan):
    """The command line where standard error is a terminal, in which a progress bar is drawn."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        return hqgan(*arguments)

    return call


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "audit" else name for name in LONG]
)
def test_long_work_shows_how_far_it_is(name, terminal, tiny_run, tmp_path):
    folder = tmp_path / "data"
    for kind, grey in (("a", 60), ("b", 160)):
        (folder / kind).mkdir(parents=True)
        for i in range(4):
            pixels = np.random.default_rng([grey, i]).integers(grey - 60, grey + 60, (32, 32, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{i}.png")
    places = {"RUN": tiny_run, "OUT": tmp_path / "out", "FOLDER": folder}
    command, tasks = LONG[name]
    code, _, err = terminal(*(places.get(part, part) for part in command))
    assert code == 0, err
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err)
    for task in tasks:
        # How much of how much is done, and for how long: in a long step the time alone moves.
        assert re.search(rf"{task} .*\d+/\d+ \d+:\d\d:\d\d", shown), (task, shown)
