"""Training by two processes against training by one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hqgan import config as configs
from hqgan.errors import UserError
from hqgan.run.train import train
from hqgan.runtime.processes import ALL, LAUNCH, current_shard

pytest.importorskip("lightning_fabric")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
SCRIPT = Path(__file__).with_name("train_all.py")
SINGLE = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")} | {
    "OMP_NUM_THREADS": "1"
}


def finished(command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=500, env=SINGLE)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def last_checkpoint(run):
    return max((run / "checkpoints").glob("*.safetensors"))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same trainings by one process and by two."""
    place = tmp_path_factory.mktemp("both")
    finished([sys.executable, SCRIPT, place / "one"])
    finished([*TORCHRUN, SCRIPT, place / "two"])
    return place / "one", place / "two"


@pytest.mark.parametrize("name", ["demo", "paper", "dcgan", "lightweight", "stylegan2-ada", "ddpm", "mosaiq"])
def test_two_processes_learn_what_one_does(both, name):
    """Batch norms, groups of images, augmentation that adapts, shots: in float64 to 1e-9, all that a checkpoint holds."""
    one, two = (load_file(last_checkpoint(place / name)) for place in both)
    assert one.keys() == two.keys()
    moved = 0.0
    for key, tensor in one.items():
        if key.startswith("ema/"):
            torch.testing.assert_close(two[key], tensor, rtol=1e-5, atol=1e-5, msg=key)
        elif tensor.is_floating_point():
            assert tensor.dtype in (torch.float64, torch.float32)
            torch.testing.assert_close(two[key], tensor, rtol=1e-7, atol=1e-7, msg=key)
            moved = max(moved, tensor.abs().max().item())
    assert moved > 0
    lines = [[json.loads(line) for line in (place / name / "metrics.jsonl").read_text().splitlines()] for place in both]
    assert len(lines[0]) == len(lines[1]) > 1
    for a, b in zip(*lines, strict=True):
        if a["kind"] == "train":
            assert a.pop("kind") == b.pop("kind")
            assert b == pytest.approx(a, rel=1e-5, abs=1e-5)


def test_a_killed_process_is_started_again_and_the_end_is_the_same(tmp_path, set_options):
    """`torchrun --max-restarts 1`: all processes begin again at the last checkpoint, without being told to."""
    command = ["-m", "hqgan", "train", "--preset", "demo", *set_options, "--set", "training.kimg=0.24", "--out"]
    finished([*TORCHRUN, *command, tmp_path / "whole"])
    elastic = [*TORCHRUN, "--max-restarts", "1", *command, str(tmp_path / "killed")]
    process = subprocess.Popen(elastic, env=SINGLE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 200
    while not list(tmp_path.glob("killed/checkpoints/*.json")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    second = [pid for pid in children if b"\0RANK=1\0" in Path(f"/proc/{pid}/environ").read_bytes()]
    os.kill(int(second[0]), signal.SIGKILL)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said[-3000:]
    assert "resuming at" in said
    run = json.loads((tmp_path / "killed" / "run.json").read_text())
    assert run["finished"]
    assert [start["processes"] for start in run["starts"]] == [2, 2]
    assert run["starts"][1]["resumed_at_images"] > 0
    names = [tmp_path / folder for folder in ("whole", "killed")]
    assert last_checkpoint(names[0]).read_bytes() == last_checkpoint(names[1]).read_bytes()
    assert (names[0] / "metrics.jsonl").read_bytes() == (names[1] / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("name", "changes", "world", "words"),
    [
        ("demo", {"training.batch": 10}, 4, "batch of 10 images cannot be shared by 4.*`training.batch` 12"),
        ("stylegan2-ada", {"training.batch": 12}, 6, "groups of four images.*`training.batch` 24 for 6"),
        ("hqgan-noise", {}, 2, "train it by one process"),
        ("demo", {"training.device": "cuda:0"}, 2, "'cuda:0' cannot be shared by 2 processes"),
    ],
)
def test_what_several_processes_cannot_do_is_a_sentence(monkeypatch, tmp_path, name, changes, world, words):
    for key, value in {"WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "RANK": 1, "LOCAL_RANK": 1}.items():
        monkeypatch.setenv(key, str(value))
    with pytest.raises(UserError, match=words):
        train(configs.preset(name, changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["demo", "compare", "evaluate", "audit"])
def test_commands_that_share_nothing_refuse_several_processes(monkeypatch, hqgan, command):
    for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(key, "2")
    for key in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(key, "0")
    code, _, err = hqgan(command)
    assert (code, err) == (
        2,
        f"hqgan: hqgan {command} does not share its work among processes: start it without torchrun.\n",
    )


def test_numbers_in_16_bits_stay_close_and_circuits_keep_32(tiny_config, tiny_run, tmp_path, monkeypatch):
    from hqgan.circuits import layer

    seen = []
    real = layer.QuantumLayer.forward

    def watched(self, angles):
        readouts = real(self, angles)
        seen.append((self.weights.dtype, readouts.dtype, torch.is_autocast_enabled("cpu")))
        return readouts

    monkeypatch.setattr(layer.QuantumLayer, "forward", watched)
    train(configs.replace(tiny_config, {"training.precision": "bf16-mixed"}), tmp_path / "run")
    inside = [row for row in seen if row[2]]
    assert inside
    assert all(row[:2] == (torch.float32, torch.float32) for row in inside)
    ours, theirs = (load_file(last_checkpoint(run)) for run in (tmp_path / "run", tiny_run))
    for key in theirs:
        if key.startswith(("generator/", "critic/")) and theirs[key].is_floating_point():
            assert ours[key].dtype == theirs[key].dtype
            torch.testing.assert_close(ours[key], theirs[key], rtol=0.1, atol=0.01, msg=key)


def test_a_second_attempt_goes_on_only_where_the_first_was_at_work(tiny_run, tiny_config, tmp_path, monkeypatch):
    """What the first attempt was refused is refused to the second."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "this")
    for count in ("0", "1"):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", count)
        with pytest.raises(UserError, match="holds a run already"):
            train(tiny_config, run)
    # What a launch of the same name has left, as torchrun's of no name all have one, is not taken for this one's.
    (run / LAUNCH).write_text("this")
    for count in ("0", "1"):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", count)
        with pytest.raises(UserError, match="holds a run already"):
            train(tiny_config, run)
    (run / LAUNCH).write_text("another")
    with pytest.raises(UserError, match="holds a run already"):
        train(tiny_config, run)
    (run / LAUNCH).write_text("this")
    train(tiny_config, run)
    assert not (run / LAUNCH).exists()


def test_what_the_first_process_refuses_all_refuse_in_a_sentence(tiny_run, tmp_path, set_options):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    command = [*TORCHRUN, "-m", "hqgan", "train", "--preset", "demo", *set_options, "--out", run]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, env=SINGLE)
    assert done.returncode
    sentence = f"{run} holds a run already; go on with it by --resume, or choose another --out."
    assert f"hqgan: {sentence}" in done.stderr
    assert f"hqgan, process 1: {sentence}" in done.stderr
    # torchrun itself adds a traceback for processes that fail.
    assert "hqgan/run.py" not in done.stderr


@pytest.mark.parametrize(
    "variables", [{"WORLD_SIZE": "2"}, {"WORLD_SIZE": "two"}, {"WORLD_SIZE": "2", "RANK": "0"}, {"RANK": "x"}]
)
def test_variables_that_are_not_torchruns(variables, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert current_shard() == ALL
