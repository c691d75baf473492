"""What people see while hqgan works, on the command line and from Python."""

import re

import pytest

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
