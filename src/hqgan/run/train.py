"""A training run: config -> data, networks, step, hooks, loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hqgan import config as configs
from hqgan.config import Config
from hqgan.data import check_outside, load_split, open_configured
from hqgan.errors import UserError, out_of_memory
from hqgan.reporter import SILENT, Reporter
from hqgan.run.folder import forget_refused, held, last_checkpoint_text, remove_half_written
from hqgan.run.hooks import checkpoint_writer, hooks_of, recalibrator
from hqgan.run.log import RunLog
from hqgan.run.mode import RunMode, mode_of
from hqgan.run.setup import Setup, check_processes, run_split, start_state, tf32_for_convolutions
from hqgan.runtime.devices import resolve_device
from hqgan.runtime.processes import ALL, current_shard, is_same_launch
from hqgan.training import distributed
from hqgan.training.distributed import Processes
from hqgan.training.loop import Diverged, Interrupted
from hqgan.training.loop import train as train_loop
from hqgan.training.state import State


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    allow_change: bool = False,
    reporter: Reporter = SILENT,
    alone: bool = False,
) -> Path:
    """Train a model and leave a run folder.

    Args:
        config: what to do.
        out: the run folder; new or empty, unless `resume`.
        resume: go on from the newest checkpoint in `out`; the config must be the same but may ask for more kimg.
        allow_change: let a resumed run go on with another batch or learning rates; run.json tells old and new.
        reporter: receives messages and progress; task ``training`` counts the images shown.
        alone: train in this process, even if torchrun has started several.

    Returns:
        `out`.

    Raises:
        UserError: bad input, a full disk, divergence; what was written stays.
        Interrupted: stopped by Ctrl-C, after a checkpoint was written.
    """
    check_outside(config.data.path, out)
    shard = ALL if alone else current_shard()
    check_processes(config, shard.world)
    with distributed.together(config.training.device, shard) as processes:
        if not processes.first:
            reporter = SILENT
        with held(config, out, resume or (is_same_launch(out) and not alone), processes, allow_change) as changed:
            new = not (out / "config.json").exists()
            try:
                _in_folder(config, out, processes, reporter, changed)
            except UserError:
                if new and processes.first:
                    forget_refused(out)
                raise
    return out


def _in_folder(
    config: Config, out: Path, processes: Processes, reporter: Reporter, changed: dict[str, list[Any]]
) -> None:
    """Train in a folder that is locked."""
    device = processes.device or resolve_device(config.training.device)
    tf32_for_convolutions()
    data = open_configured(config.data, reporter)  # all processes decode together what is not in the cache
    for file, reason in data.skipped[:5]:
        reporter.message(f"left out {file}: {reason}")
    if len(data.skipped) > 5:
        reporter.message(f"left out {len(data.skipped) - 5} more; `hqgan data inspect` lists them")
    if data.warning:
        reporter.message(data.warning)

    def write_split() -> None:
        remove_half_written(out)
        run_split(config, data, out)

    processes.first_alone(write_split)
    split = load_split(out / "split.json", data)
    setup = Setup(config, out, data, split, device, processes, reporter)
    state = start_state(setup)
    mode = mode_of(setup, state)
    if processes.first:
        _train(setup, state, mode, changed)
    else:
        train_loop(state, mode.step, config.training, [], _ignore, processes=processes)


def _train(setup: Setup, state: State, mode: RunMode, changed: dict[str, list[Any]]) -> None:
    """Train in the first process, which writes the folder."""
    config, reporter = setup.config, setup.reporter
    evaluator = mode.evaluator()
    log = RunLog(setup.out, state)
    description = {
        "config": config.model_dump(mode="json"),
        "config_hash": configs.digest(config),
        "classes": list(setup.data.classes),
        **mode.description(),
    }
    log.start(description, setup.device, setup.processes.shard.world, changed)
    recalibrate = recalibrator(setup)
    save = checkpoint_writer(setup, mode, description, recalibrate, log)
    try:
        with _errors_explained(setup):
            hooks = hooks_of(setup, recalibrate, save, evaluator, log)
            train_loop(state, mode.step, config.training, hooks, log.record, reporter, setup.processes)
    except Interrupted:
        save(state)
        mode.report(state)
        raise
    finally:
        log.close()
    log.finish(state)
    mode.report(state)


@contextmanager
def _errors_explained(setup: Setup) -> Iterator[None]:
    """Full disks, divergence and lack of memory as a `UserError` that says what is kept and what to do."""
    config, out = setup.config, setup.out
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The run's files in {out} cannot be written ({error.strerror or error}); {last_checkpoint_text(out)}. Make room, or "
            "give rights, and run again with `resume`."
        ) from error
    except Diverged as error:
        raise UserError(
            f"{error}; {last_checkpoint_text(out)}. Lower the learning rates (`training.lr_generator`) and try again."
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(
            f"There is not enough memory to train with batches of {config.training.batch} at {config.data.size} pixels: free "
            "some and run again with `resume`, or start another `out` with a smaller `training.batch` or size."
        ) from error


def _ignore(kind: str, state: State, values: dict[str, Any]) -> None:
    """Record nothing."""
