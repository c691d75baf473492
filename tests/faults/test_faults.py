"""What goes wrong around a training, and what is left of it."""

import errno
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from calls import Calls
from hqgan import config as configs
from hqgan.data import cache_parts
from hqgan.errors import UserError
from hqgan.io.files import others, sweep
from hqgan.run import log as run_log
from hqgan.run.train import train
from hqgan.sampling.generate import generate
from hqgan.sampling.load import load
from hqgan.training import loop


def ema_hash(run):
    return json.loads((run / "run.json").read_text())["ema_sha256"]


def test_the_cache_is_removed_while_training(tiny_run, tiny_config, tmp_path, monkeypatch):
    """What is mapped stays; the next one decodes again."""
    shutil.copytree(os.environ["HQGAN_CACHE"], tmp_path / "cache")
    monkeypatch.setenv("HQGAN_CACHE", str(tmp_path / "cache"))

    def remove(images, total):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)

    train(tiny_config, tmp_path / "run", reporter=Calls(training=remove))
    assert ema_hash(tmp_path / "run") == ema_hash(tiny_run)
    train(tiny_config, tmp_path / "again")
    assert ema_hash(tmp_path / "again") == ema_hash(tiny_run)


def test_the_clock_is_set_back(tiny_run, tiny_config, tmp_path, monkeypatch):
    times = iter(datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=i) for i in range(10_000))
    monkeypatch.setattr(run_log, "_now", lambda: next(times).isoformat())

    def stop(images, total):
        if images == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_config, tmp_path / "run", reporter=Calls(training=stop))
    train(tiny_config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (tiny_run / "metrics.jsonl").read_bytes()
    assert ema_hash(tmp_path / "run") == ema_hash(tiny_run)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_refuses(tiny_config, tmp_path, monkeypatch, code):
    """A disk that turns read-only, a right that is taken away, a quota that is used up."""
    real = loop.train

    def refuse(state, step, config, hooks, record, reporter, processes):
        def denied(*arguments):
            raise OSError(code, os.strerror(code), str(tmp_path / "run" / "metrics.jsonl"))

        return real(state, step, config, hooks, denied, reporter, processes)

    monkeypatch.setattr("hqgan.run.train.train_loop", refuse)
    with pytest.raises(UserError, match=rf"cannot be written \({os.strerror(code)}\).*run again with `resume`"):
        train(tiny_config, tmp_path / "run")
    monkeypatch.undo()
    train(tiny_config, tmp_path / "run", resume=True)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_cache_that_refuses(tiny_config, tmp_path, monkeypatch, code):
    def denied(*arguments, **more):
        raise OSError(code, os.strerror(code), str(tmp_path))

    monkeypatch.setattr(cache_parts, "_write_part", denied)
    with pytest.raises(UserError, match=rf"cannot be written \({os.strerror(code)}\).*HQGAN_CACHE"):
        train(configs.replace(tiny_config, {"data.path": "demo:90"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_little_memory_is_a_sentence(tiny_config, tmp_path):
    """A process that may have no more memory, and batches that need it."""
    config = configs.replace(tiny_config, {"training.batch": 4096, "critic.channels": [256, 256, 256, 256]})
    configs.write(configs.replace(config, {"training.kimg": 8.2}), tmp_path / "config.json")
    code = (
        "import resource, sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path; from hqgan import config; from hqgan.run import train as run\n"
        "real = run.train_loop\n"
        "def limited(*arguments):\n"
        "    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)\n"
        "    return real(*arguments)\n"
        "run.train_loop = limited\n"
        "try: run.train(config.read(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        "except run.UserError as error: print(error); sys.exit(2)\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "config.json", tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "not enough memory to train with batches of 4096 at 32 pixels" in done.stdout
    assert "smaller `training.batch`" in done.stdout


@pytest.mark.parametrize("left", [".config.json.123.part", "config.json"])
def test_killed_before_there_was_much_of_a_run(tiny_run, tiny_config, tmp_path, left):
    """Between the lock and the split; what has begun goes on, as a killed process of `kill.py` had to."""
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").touch()
    (run / left).write_bytes((tiny_run / "config.json").read_bytes()[: 10 if left.startswith(".") else None])
    train(tiny_config, run, resume=True)
    assert ema_hash(run) == ema_hash(tiny_run)
    assert not list(run.glob(".*.part"))


def test_the_config_is_there_before_the_split(tiny_config, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("hqgan.run.setup.save_split", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock", "config.json"}


def test_what_a_killed_write_leaves_is_not_somebody_elses(tmp_path):
    for name in ("settings.json", ".settings.json.41.part", ".lock"):
        (tmp_path / name).touch()
    assert others(tmp_path, "settings.json", ".lock") == []
    for name in (".settings.json.part", ".other.json.41.part", "x.settings.json.41.part"):
        (tmp_path / name).touch()
    assert len(others(tmp_path, "settings.json", ".lock")) == 3
    assert others(tmp_path / "none", "x") == []


def test_images_go_on_after_the_first_write_was_killed(tiny_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".manifest.csv.unfinished.41.part").touch()
    generate(load(tiny_run), {"nevus": 1}, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.csv").exists()


def test_what_was_half_written_is_swept(tiny_run, tmp_path):
    out = tmp_path / "out"
    generate(load(tiny_run), {"nevus": 1}, out)
    before = sorted(out.rglob("*"))
    (out / "nevus" / ".nevus-00000.png.41.part").touch()
    generate(load(tiny_run), {"nevus": 1}, out)
    assert sorted(out.rglob("*")) == before
    for name in ("pictures/.x.png.41.part", "arms/seed0/.y.json.41.part", "arms/mine.part", ".part"):
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).touch()
    sweep(tmp_path / "s", "**/.*.part")
    assert [path.name for path in sorted((tmp_path / "s").rglob("*")) if path.is_file()] == [".part", "mine.part"]
