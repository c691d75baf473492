"""Two processes on one folder."""

import subprocess
import sys

import pytest

from hqgan.errors import UserError
from hqgan.experiments.folder import PROCESSES
from hqgan.experiments.study import Settings, study
from hqgan.io.lock import LOCK, exclusive
from hqgan.reporter import PrintReporter
from hqgan.runtime.processes import Shard

HOLD = "import sys, time\nfrom pathlib import Path\nfrom hqgan.io.lock import exclusive\n\
with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"


@pytest.fixture
def holder(tmp_path):
    """Another process at work in a folder; yields both."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process, tmp_path / "run"
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_told_and_writes_nothing(holder, hqgan, set_options):
    _, folder = holder
    for command in (
        ("train", "--preset", "demo", *set_options),
        ("compare", "--presets", "demo", "--seeds", 1, "--kimg", 0.1, "--size", 32),
        ("study", "--data", "demo:200", "--size", 32, "--quick"),
    ):
        code, _, err = hqgan(*command, "--out", folder)
        assert code == 2
        assert err.splitlines()[-1].startswith(f"hqgan: Another hqgan is at work in {folder}: wait until it has ended")
    assert [p.name for p in folder.iterdir()] == [LOCK]


def test_a_process_of_torchrun_is_told_so_too(holder):
    _, folder = holder
    with pytest.raises(UserError, match=f"Another hqgan is at work in {folder}: wait"):
        study(Settings("demo:200", size=32, seeds=(0, 1)), folder, reporter=PrintReporter(), share=Shard(0, 2))
    assert {p.name for p in folder.iterdir()} == {LOCK, PROCESSES}
    assert list((folder / PROCESSES).iterdir()) == []


def test_a_killed_process_lets_go(holder):
    process, folder = holder
    with pytest.raises(UserError, match="Another hqgan"), exclusive(folder):
        pass
    process.kill()
    process.wait()
    with exclusive(folder):
        pass
