"""Training leaves a whole run, and a stopped one ends as if never stopped."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from calls import Calls
from hqgan import config as configs
from hqgan.errors import UserError
from hqgan.run.train import train
from hqgan.training import checkpoint, losses
from hqgan.training.loop import Interrupted


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def ema_hash(run):
    return json.loads((run / "run.json").read_text())["ema_sha256"]


def test_a_run_has_all_that_it_should(tiny_run, tiny_config):
    assert configs.read(tiny_run / "config.json") == tiny_config
    metrics = lines(tiny_run / "metrics.jsonl")
    assert [m["images"] for m in metrics if m["kind"] == "train"] == [16, 32, 48, 64]
    norms = {k for k in metrics[0] if k.startswith("norm/")}
    assert norms == {
        "norm/critic", "norm/encoder", "norm/classical branch", "norm/quantum branch", "norm/decoder", "norm/circuit",
    }  # fmt: skip
    assert all(metrics[0][k] > 0 for k in norms)
    assert [m["images"] for m in metrics if m["kind"] == "evaluate"] == [64]
    assert {"time", "images", "seconds", "images_per_second"} == set(lines(tiny_run / "timing.jsonl")[0])
    assert len(list((tiny_run / "samples").glob("*.png"))) == 2
    assert list((tiny_run / "tensorboard").glob("events*"))
    run = json.loads((tiny_run / "run.json").read_text())
    assert run["finished"]
    assert [s["resumed_at_images"] for s in run["starts"]] == [0]
    split = json.loads((tiny_run / "split.json").read_text())
    assert split["train"]
    tensors, _ = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"), "ema/")
    assert checkpoint.tensors_hash(tensors) == run["ema_sha256"]
    counted = [int(v) for k, v in tensors.items() if k.endswith("num_batches_tracked")]
    assert counted
    assert set(counted) == {8}, "the norms of a saved average are measured on 512 images, 64 at a time"


def test_same_seed_same_run_other_seed_other_run(tiny_run, tiny_config, tmp_path):
    again = train(tiny_config, tmp_path / "again")
    assert (again / "metrics.jsonl").read_bytes() == (tiny_run / "metrics.jsonl").read_bytes()
    assert ema_hash(again) == ema_hash(tiny_run)
    other = train(configs.replace(tiny_config, {"training.seed": 1}), tmp_path / "other")
    assert ema_hash(other) != ema_hash(tiny_run)


@pytest.mark.parametrize("stop_at", [16, 24, 56])
def test_interrupted_and_resumed_equals_uninterrupted(tiny_run, tiny_config, tmp_path, stop_at):
    """Ctrl-C saves where it is, also between two checkpoints and in the middle of a logging interval."""

    def stop(images, total):
        if images == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(tiny_config, tmp_path / "run", reporter=Calls(training=stop))
    # Whatever libraries draw globally in between must not matter.
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    train(tiny_config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (tiny_run / "metrics.jsonl").read_bytes()
    assert ema_hash(tmp_path / "run") == ema_hash(tiny_run)
    starts = json.loads((tmp_path / "run" / "run.json").read_text())["starts"]
    assert [s["resumed_at_images"] for s in starts] == [0, stop_at]


@pytest.mark.parametrize("loss", ["wgan-gp", "hinge", "relativistic"])
def test_every_loss_resumes_with_prototypes_adaptive_noise_and_shots(tiny_config, tmp_path, loss):
    changes = {"training.loss": loss, "training.kimg": 0.048, "training.critic_steps": 2, "training.balanced": True}
    source, shots = ("prototypes", 100) if loss == "hinge" else ("bounded", 0)
    changes |= {"generator.latent_source": source, "generator.circuit.shots": shots}
    if loss == "relativistic":  # larger batches lie otherwise in memory, see `state.layout`
        changes |= {"training.batch": 16, "training.kimg": 0.096}
    config = configs.replace(tiny_config, changes)
    whole = train(config, tmp_path / "whole")

    def stop(images, total):
        if images == 2 * config.training.critic_steps * config.training.batch:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        train(config, tmp_path / "parts", reporter=Calls(training=stop))
    train(config, tmp_path / "parts", resume=True)
    assert (tmp_path / "parts" / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert ema_hash(tmp_path / "parts") == ema_hash(whole)


def test_killed_without_warning_and_resumed(tiny_run, tiny_config, tmp_path):
    """SIGKILL in a process of its own, lines half written and all."""
    out = tmp_path / "run"
    configs.write(tiny_config, tmp_path / "config.json")
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path; from hqgan import config; from hqgan.run import train as run\n"
        "from hqgan.reporter import Reporter\n"
        "class Kill(Reporter):\n"
        "    def progress(self, task, done, total, unit='images'):\n"
        "        if task == 'training' and done == 40: import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
        "run.train(config.read(Path(sys.argv[1])), Path(sys.argv[2]), reporter=Kill())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "config.json", out], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 6, "ima')
    train(tiny_config, out, resume=True)
    assert (out / "metrics.jsonl").read_bytes() == (tiny_run / "metrics.jsonl").read_bytes()
    assert ema_hash(out) == ema_hash(tiny_run)
    starts = json.loads((out / "run.json").read_text())["starts"]
    assert [s["resumed_at_images"] for s in starts] == [0, 32]


def test_a_longer_run_may_go_on(tiny_run, tiny_config, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    train(configs.replace(tiny_config, {"training.kimg": 0.08}), tmp_path / "run", resume=True)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["images"] == 80


def test_another_config_is_refused_and_nothing_changes(tiny_run, tiny_config, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="training.lr_critic: 0.0004 / 0.1.*Leave the options away"):
        train(configs.replace(tiny_config, {"training.lr_critic": 0.1}), tmp_path / "run", resume=True)
    with pytest.raises(UserError, match="holds a run already; go on with it by `resume`"):
        train(tiny_config, tmp_path / "run")
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_other_data_are_refused(tiny_run, tiny_config, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "split.json").unlink()
    other = configs.replace(tiny_config, {"data.path": "demo:170"})
    configs.write(other, tmp_path / "run" / "config.json")
    with pytest.raises(UserError, match="is not the data that .* was trained on"):
        train(other, tmp_path / "run", resume=True)


def test_a_folder_of_something_else_is_left_alone(tiny_config, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds files that are not a run's"):
        train(tiny_config, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_divergence_stops_and_names_the_last_good_checkpoint(tiny_config, tmp_path, monkeypatch):
    real = losses.generator_loss

    def nan_later(kind, fake, scores):
        loss = real(kind, fake, scores)
        nan_later.calls += 1
        return loss * float("nan") if nan_later.calls > 5 else loss

    nan_later.calls = 0
    monkeypatch.setattr(losses, "generator_loss", nan_later)
    with pytest.raises(UserError, match=r"diverged at step 6: loss/generator is nan; the last good .*images-000000032"):
        train(tiny_config, tmp_path / "run")
    tensors, _ = checkpoint.read(checkpoint.latest(tmp_path / "run" / "checkpoints"))
    assert all(torch.isfinite(t).all() for t in tensors.values() if t.is_floating_point())


def test_full_disk_at_a_checkpoint_loses_nothing(tiny_run, tiny_config, tmp_path, monkeypatch):
    real = checkpoint.write_atomically

    def full(path, data):
        if path.name == "images-000000048.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(checkpoint, "write_atomically", full)
    with pytest.raises(UserError, match=r"disk is full.*images-000000032.json.*`resume`"):
        train(tiny_config, tmp_path / "run")
    monkeypatch.undo()
    train(tiny_config, tmp_path / "run", resume=True)
    assert ema_hash(tmp_path / "run") == ema_hash(tiny_run)


def test_unknown_device():
    from hqgan.runtime.devices import resolve_device

    with pytest.raises(UserError, match="device 'quantum' cannot be used"):
        resolve_device("quantum")


def test_import_loads_no_torch():
    code = "import sys, hqgan, hqgan.cli.main; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_real_beside_generated(tiny_run, tmp_path):
    from PIL import Image

    from hqgan.run.pictures import draw_beside_real

    draw_beside_real(tiny_run, tmp_path / "picture.png", columns=3)
    with Image.open(tmp_path / "picture.png") as image:
        assert image.width > 7 * 64
        assert image.height > 7 * 64


def test_too_few_lesions_for_a_side_is_a_sentence(tmp_path, tiny_config, hqgan):
    from PIL import Image

    noise = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(noise.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "data" / name / "x.png")
    config = configs.replace(tiny_config, {"data.path": str(tmp_path / "data")})
    with pytest.raises(UserError, match="no image on the side validation: training needs a class of at least three"):
        train(config, tmp_path / "run")
    code, out, _ = hqgan("data", "inspect", tmp_path / "data", "--size", 32)
    assert (code, "warning: there is no image on the side validation" in out) == (0, True)
    with pytest.raises(UserError, match="lies in the data's own folder"):
        train(config, tmp_path / "data" / "run")
    assert not (tmp_path / "data" / "run").exists()


def test_copies_beside_the_checkpoints_stay(tiny_run, tiny_config, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    newest = checkpoint.latest(run / "checkpoints")
    for suffix in (".json", ".safetensors"):
        shutil.copy(newest.with_suffix(suffix), run / "checkpoints" / f"best{suffix}")
        shutil.copy(newest.with_suffix(suffix), run / "checkpoints" / f"zz{suffix}")
    assert checkpoint.latest(run / "checkpoints") == newest
    train(configs.replace(tiny_config, {"training.kimg": 0.08}), run, resume=True)
    assert {"best.json", "best.safetensors", "zz.json"} <= {p.name for p in (run / "checkpoints").iterdir()}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("metrics.jsonl", b'{"kind": "evaluate", "step": 8, "images": 64, "rows": [1]}\n'),
        ("metrics.jsonl", b'{"kind": "evaluate", "images": 64, "rows": [{"name": "x", "n": 3, "value": "x"}]}\n'),
        ("metrics.jsonl", b'{"kind": "evaluate"}\n'),
        ("metrics.jsonl", b"\xff\xfe\n"),
        ("metrics.jsonl", b"[" * 100_000 + b"\n"),
        ("run.json", b"[1]"),
        ("run.json", b"[" * 100_000),
        ("config.json", b"[" * 100_000),
    ],
)
def test_damaged_files_of_a_run_are_a_sentence_or_left_out(tiny_run, tmp_path, hqgan, file, content):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / file).write_bytes(content)
    code, _, err = hqgan("generate", run, "--per-class", 1, "--out", tmp_path / "images")
    assert (code, "Traceback" in err) == (0, False), err
    assert (tmp_path / "images" / "MODEL_CARD.md").exists()
    code, _, err = hqgan("train", "--out", run, "--resume")
    assert code == (0 if file == "metrics.jsonl" else 2), err
    assert "Traceback" not in err


def test_a_seed_beyond_64_bits_is_a_sentence(tmp_path, hqgan):
    code, _, err = hqgan("train", "--seed", 10**20, "--out", tmp_path / "run")
    assert (code, "training.seed: input should be less than" in err) == (2, True)
