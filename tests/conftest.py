"""What every test may lean on: a cache of its own, one thread, and a tiny run."""

import json
from pathlib import Path

import pytest
import torch

from calls import Calls

TINY = {
    "data.path": "demo:160",
    "data.size": 32,
    "generator.encoder_channels": 16,
    "generator.feature_channels": 16,
    "generator.decoder_channels": [16, 8],
    "generator.circuit.qubits": 3,
    "generator.circuit.layers": 2,
    "critic.channels": [8, 8, 16, 16],
    "training.batch": 8,
    "training.kimg": 0.064,
    "training.log_kimg": 0.016,
    "training.sample_kimg": 0.032,
    "training.evaluate_kimg": 0.064,
    "training.checkpoint_kimg": 0.016,
}
"""Eight steps of the preset `demo`, shrunk."""


@pytest.fixture(scope="session", autouse=True)
def _house(tmp_path_factory):
    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    patch.setenv("HQGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def tiny_changes():
    """What makes the preset `demo` tiny: dotted field to value."""
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_config():
    from hqgan.config import preset

    return preset("demo", TINY)


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory) -> Path:
    """A finished run; not to be written to."""
    from hqgan.run.train import train

    return train(tiny_config, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def private_config(tiny_changes):
    from hqgan.config import preset

    return preset("private", {**tiny_changes, "training.critic_steps": 2, "training.kimg": 0.128})


@pytest.fixture(scope="session")
def private_run(private_config, tmp_path_factory) -> tuple[Path, list[str]]:
    """A finished private run of eight steps, not to be written to, and what it said; its secret is its own."""
    from hqgan.run.train import train

    said: list[str] = []
    return train(private_config, tmp_path_factory.mktemp("runs") / "private", reporter=Calls(said.append)), said


@pytest.fixture
def hqgan(capsys, monkeypatch):
    """Run the command line; returns exit code, standard output and standard error."""
    from hqgan.cli import main as cli

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hqgan", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def set_options():
    """The tiny config as command-line arguments."""
    return [part for key, value in TINY.items() for part in ("--set", f"{key}={json.dumps(value)}")]
