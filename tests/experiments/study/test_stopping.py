"""Studies that are stopped from outside, with classifiers side by side."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [
    *("study", "--data", "demo:160", "--size", "32", "--seeds", "1", "--generators", "pca-gaussian", "--uses", "mixed"),
    *("--ratios", "1", "--fill", "fibroma", "vascular", "--steps", "150", "--jobs", "2", "--out"),
]


def start(out):
    """A study in a session of its own, once its first arm is finished."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hqgan", *COMMAND, str(out)],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    end = time.monotonic() + 240
    while not finished(out):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def finished(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("arms/*/small/*.json")}


def go_on(out, before):
    """The same command again ends well, and does not touch what was finished."""
    again = subprocess.run(
        [sys.executable, "-m", "hqgan", *COMMAND, str(out)], capture_output=True, text=True, timeout=500
    )
    assert again.returncode == 0, again.stderr
    after = finished(out)
    assert len(after) == 5
    assert {name: after[name] for name in before} == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_finished_stays_and_the_rest_is_done(number, tmp_path):
    before_handler = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # children of a job in the background ignore it
    try:
        process = start(tmp_path / "s")
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGINT, before_handler)
    before = finished(tmp_path / "s")
    assert 1 <= len(before) < 5
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "Stopped. Continue with the same command" in said
        assert "Traceback" not in said
    go_on(tmp_path / "s", before)
    assert (tmp_path / "s" / "study.html").exists()


@pytest.mark.slow
def test_a_killed_worker_is_a_sentence_and_its_arm_is_done_again(tmp_path):
    """As the system does to the largest process when memory runs out."""
    process = start(tmp_path / "s")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert workers
    os.kill(int(workers[0]), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--jobs: finished arms are kept" in said
    assert "Traceback" not in said
    before = finished(tmp_path / "s")
    go_on(tmp_path / "s", before)
