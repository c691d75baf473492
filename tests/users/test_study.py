"""How long a study takes is known before it begins, and a quick one is quick."""

import json
import os
import re
import resource
import subprocess
import sys

import pytest

SMALL = [
    "--data",
    "demo:160",
    "--size",
    "32",
    "--quick",
    "--seeds",
    "1",
    "--steps",
    "10",
    "--fill",
    "fibroma",
    "--fill",
    "vascular",
]


@pytest.fixture(autouse=True)
def one_core():
    """Classifiers take as many threads as there are cores, which is slow where others use them, too."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


def test_a_study_says_first_how_long_it_will_take(hqgan, tmp_path):
    small = [*SMALL, "--generators", "pca-gaussian", "--uses", "mixed", "--out", tmp_path / "s"]
    code, _, err = hqgan("study", *small)
    assert code == 0, err
    said = " ".join(err.split())
    found = re.search(r"this takes about \d+ seconds on this machine: \d+ seconds for 5 classifiers;", said)
    assert found is not None, said
    others = [said.find(words) for words in ("generating images", "training demo", "classifiers:", "decoding:")]
    assert all(place == -1 or place > found.start() for place in others), said
    # The same command goes on, and says how much is left.
    (tmp_path / "s" / "arms" / "seed0" / "small" / "real.json").unlink()
    assert "for 1 classifier;" in " ".join(hqgan("study", *small)[2].split())
    # With the two generators and ten arms of --quick, this is what two cores do in five minutes.
    assert json.loads((tmp_path / "s" / "settings.json").read_text())["kimg"] <= 2


@pytest.mark.slow
def test_a_quick_study_takes_under_five_minutes_on_two_cores(tmp_path):
    # Time of the cores, since others may be using them.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "hqgan", "study", "--data", "demo", "--quick", "--out", str(tmp_path / "s")]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2 * 300
