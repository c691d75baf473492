"""Every preset trains, generates and is evaluated by the same commands."""

import csv
import json

import pytest

from hqgan import config as configs
from hqgan.config import PRESETS, preset
from hqgan.models.build import figures
from hqgan.run.train import train
from hqgan.training import checkpoint

SHORT = {
    "data.path": "demo:160",
    "data.size": 32,
    "training.batch": 8,
    "training.log_kimg": 0.008,
    "training.sample_kimg": 100.0,
    "training.evaluate_kimg": 100.0,
    "training.checkpoint_kimg": 100.0,
}
SMALL = {
    "hybrid": {"circuit.qubits": 3, "circuit.layers": 1},
    "dcgan": {"channels": [16, 16, 8, 8]},
    "pqwgan": {"layers": 1},
    "mosaiq": {"layers": 1},
    "latentqgan": {"layers": 1, "autoencoder_steps": 2},
    "lightweight": {"channels": [16, 16, 8, 8, 8]},
    "style": {"channels": [16, 16, 8, 8, 8], "style": 16},
    "ddpm": {"channels": [16, 16], "sampling_steps": 2, "timesteps": 20},
}
CRITICS = {
    "convolutions": {"channels": [8, 8, 16, 16]},
    "lightweight": {"channels": [8, 8, 16, 16]},
    "residual": {"channels": [8, 8, 8, 8, 8]},
    "features": {},
    "none": {},
}


def small(name, changes):
    """A preset, shrunk so that two steps take a second."""
    config = preset(name, SHORT if name not in {"paper", "wgan-gp"} else SHORT | {"data.size": 64})
    sizes = {f"generator.{k}": v for k, v in SMALL[config.generator.kind].items()}
    if config.generator.kind == "hybrid" and config.generator.encoder == "spatial":
        sizes |= {
            "generator.encoder_channels": 16,
            "generator.feature_channels": 16,
            "generator.decoder_channels": [16, 8],
        }
    sizes |= {f"critic.{k}": v for k, v in CRITICS[config.critic.kind].items()}
    steps = config.training.batch * config.training.critic_steps / 1000
    return configs.replace(config, {**sizes, "training.kimg": 2 * steps, **changes})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_two_steps_and_generates(name, tmp_path, hqgan):
    run = train(small(name, {}), tmp_path / "run")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert json.loads((run / "run.json").read_text())["finished"]
    assert [line["step"] for line in lines if line["kind"] == "train"][-1] == 2
    code, _, error = hqgan("generate", run, "--class", "fibroma=3", "--class", "nevus=2", "--out", tmp_path / "images")
    assert code == 0, error
    with (tmp_path / "images" / "manifest.csv").open() as stream:
        assert [row["class"] for row in csv.DictReader(stream)] == ["fibroma"] * 3 + ["nevus"] * 2
    card = (tmp_path / "images" / "MODEL_CARD.md").read_text()
    assert ("trained on a simulator" in card) == (figures(preset(name), 8)["quantum_parameters"] > 0)


@pytest.mark.parametrize("name", ["mosaiq", "latentqgan", "lightweight", "stylegan2-ada", "ddpm"])
def test_a_resumed_run_is_the_same(name, tmp_path):
    """Also with states that only these have: fitted buffers, spectral norms, adaptive shares, no critic."""
    changes = {"training.checkpoint_kimg": 0.001, "training.r1_every": 1, "training.path_every": 1}
    config = small(name, changes)
    half = configs.replace(config, {"training.kimg": config.training.kimg / 2})
    whole = train(config, tmp_path / "whole")
    parts = train(half, tmp_path / "parts")
    train(config, parts, resume=True)
    for folder in (whole, parts):
        assert checkpoint.latest(folder / "checkpoints").name.startswith("images-0000000")
    hashes = [json.loads((folder / "run.json").read_text())["ema_sha256"] for folder in (whole, parts)]
    assert hashes[0] == hashes[1]
    trained = [
        [line for line in (folder / "metrics.jsonl").read_text().splitlines() if '"train"' in line]
        for folder in (whole, parts)
    ]
    assert trained[0] == trained[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in PRESETS if n not in {"paper", "wgan-gp"}])
def test_every_preset_trains_two_kimg(name, tmp_path):
    changes = {"data.path": "demo:400", "data.size": 32, "training.kimg": 2.0}
    run = train(preset(name, changes), tmp_path / "run")
    assert json.loads((run / "run.json").read_text())["finished"]
