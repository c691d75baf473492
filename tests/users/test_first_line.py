"""Every command says something at once, and no rate that means nothing."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

TINY = ["--data", "demo:160", "--size", "32"]
COMMANDS = {
    "presets": ["presets"],
    "config": ["config", "demo"],
    "train": ["train", *TINY, "--preset", "demo", "--batch", "8", "--kimg", "0.032", "--out", "OUT"],
    "data inspect": ["data", "inspect", "demo:300", "--size", "32"],
    "data fetch": ["data", "fetch", "nothing"],
    "generate": ["generate", "RUN", "--per-class", "2", "--out", "OUT"],
    "generate --backend aer": [
        "generate",
        "RUN",
        "--per-class",
        "1",
        "--backend",
        "aer",
        "--shots",
        "64",
        "--out",
        "OUT",
    ],
    "export": ["export", "RUN", "OUT"],
    "evaluate": ["evaluate", "RUN"],
    "audit": ["audit", "RUN", "--out", "OUT"],
    "study": [
        "study",
        *TINY,
        "--seeds",
        "1",
        "--generators",
        "pca-gaussian",
        "--steps",
        "10",
        "--uses",
        "mixed",
        "--out",
        "OUT",
    ],
    "compare": ["compare", *TINY, "--presets", "demo", "--dry-run", "--out", "OUT"],
    "report": ["report", "RUN", "--out", "OUT.html"],
    "serve": ["serve", "RUN", "--port", "0"],
    "circuits draw": ["circuits", "draw", "demo"],
    "circuits info": ["circuits", "info", "demo"],
    "circuits expressivity": ["circuits", "expressivity", "demo", "--depths", "1", "--pairs", "10"],
    "circuits gradients": ["circuits", "gradients", "demo", "--qubits", "2", "--depths", "1", "--samples", "10"],
    "circuits noise": ["circuits", "noise", "RUN", "--machines", "", "--shots", "64"],
}
ENDLESS = {"serve"}
FAILING = {"data fetch"}


class Started:
    """A Python program under a pseudo-terminal."""

    def __init__(self, *arguments):
        self.start = time.monotonic()
        self.end, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *arguments], stdin=other, stdout=other, stderr=other, start_new_session=True
        )
        os.close(other)

    def read(self, seconds):
        """What it prints until it ends, or until something is there and no more comes for a moment."""
        if not select.select([self.end], [], [], seconds)[0]:
            return ""
        try:
            return os.read(self.end, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.end)


def filled(name, run, tmp_path):
    return [part.replace("RUN", str(run)).replace("OUT", str(tmp_path / "out")) for part in COMMANDS[name]]


def first_line_after(*arguments):
    """Seconds to the first line of a program: the second of three starts, the fastest first."""
    times = []
    for _ in range(3):
        command = Started(*arguments)
        try:
            assert command.read(60).strip()
            times.append(time.monotonic() - command.start)
        finally:
            command.stop()
    return sorted(times)[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_line_comes_within_two_seconds(name, tiny_run, tmp_path):
    # Python alone takes a fiftieth of a second to print; where it takes longer, the machine is busy with other work.
    limit = max(2, 20 * first_line_after("-c", "print(1)"))
    assert first_line_after("-m", "hqgan", *filled(name, tiny_run, tmp_path)) < limit


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ENDLESS])
def test_no_rate_is_zero_or_absurd(name, tiny_run, tmp_path):
    command = Started("-m", "hqgan", *filled(name, tiny_run, tmp_path))
    text = ""
    try:
        while part := command.read(120):
            text += part
        assert command.process.wait(30) == (2 if name in FAILING else 0), text
    finally:
        command.stop()
    rates = [float(rate.replace(",", "")) for rate in re.findall(r"([\d.,]+) \w+/(?:s|min|h)\b", text)]
    assert all(0 < rate <= 1e5 for rate in rates), rates
