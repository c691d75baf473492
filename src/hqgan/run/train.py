"""A run: config -> data, networks, hooks, loop. Where the parts meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan import config as configs
from hqgan.config import Config
from hqgan.data import check_outside, load_split, open_configured
from hqgan.errors import UserError, out_of_memory
from hqgan.evaluation.extractors import build_evaluator
from hqgan.io.files import others, sweep, write_atomically
from hqgan.io.images import labelled_rows, write_png
from hqgan.io.lock import LOCK, exclusive
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.reporter import SILENT, Reporter
from hqgan.run.hooks import evaluate, sample_grid, settler
from hqgan.run.log import RunLog, read_lines
from hqgan.run.privacy import SECRET, check_process, facts, sentence, start_private
from hqgan.run.setup import batches_of, check_shares, narrow_convolutions, run_split, start_state
from hqgan.runtime.processes import ALL, LAUNCH, current_shard, is_same_launch, launch, was_restarted
from hqgan.sampling.images import latent_seed, make_images
from hqgan.sampling.load import load
from hqgan.training import checkpoint, distributed
from hqgan.training.distributed import Processes
from hqgan.training.dp_step import PrivateStep
from hqgan.training.length import images_per_step, steps_of
from hqgan.training.loop import Diverged, Hook, Interrupted
from hqgan.training.loop import train as train_loop
from hqgan.training.state import State
from hqgan.training.step import TrainingStep, step_of
from hqgan.types import ImageData, Split

OWN = ("config.json", "split.json", "run.json", "metrics.jsonl", "timing.jsonl", SECRET)
"""Files that training writes in a run's folder."""


def _nothing(kind: str, state: State, values: dict[str, Any]) -> None:
    """Record nothing."""


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU.

    Raises:
        UserError: the device is unknown or absent.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"The device {name!r} cannot be used ({str(error).splitlines()[0]}); try `device` cpu."
        ) from error
    return device


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    reporter: Reporter = SILENT,
    alone: bool = False,
) -> Path:
    """Train a model and leave a run folder.

    Args:
        config: what to do.
        out: the run folder; new or empty, unless `resume`.
        resume: go on from the newest checkpoint in `out`; the config must be the same but may ask for more kimg.
        reporter: receives messages and progress; task ``training`` counts the images shown.
        alone: train in this process, even if torchrun has started several.

    Returns:
        `out`.

    Raises:
        UserError: bad input, a full disk, divergence; what was written stays.
        Interrupted: stopped by Ctrl-C, after a checkpoint was written.
    """
    check_outside(config.data.path, out)
    share = ALL if alone else current_shard()
    check_shares(config, share.world)
    check_process(config, share.world)
    with distributed.together(config.training.device, share) as processes:
        if not processes.first:
            reporter = SILENT
        with _held(config, out, resume or (is_same_launch(out) and not alone), processes):
            new = not (out / "config.json").exists()
            try:
                _in_folder(config, out, processes, reporter)
            except UserError:
                if new and processes.first and not (out / "run.json").exists():
                    # Refused before it began: the mended command finds the folder as this one did.
                    for name in OWN:
                        (out / name).unlink(missing_ok=True)
                raise
    return out


def _in_folder(
    config: Config,
    out: Path,
    processes: Processes,
    reporter: Reporter,
) -> None:
    """Train in a folder that is held."""
    device = processes.device or resolve_device(config.training.device)
    narrow_convolutions()
    data = open_configured(config.data, reporter)  # all decode together what is not in the cache
    for file, reason in data.skipped[:5]:
        reporter.message(f"left out {file}: {reason}")
    if len(data.skipped) > 5:
        reporter.message(f"left out {len(data.skipped) - 5} more; `hqgan data inspect` lists them")
    if data.warning:
        reporter.message(data.warning)

    def write_split() -> None:
        sweep(out, "checkpoints/.*.part", "samples/.*.part", *(f".{name}.*.part" for name in OWN))
        run_split(config, data, out)

    processes.first_alone(write_split)
    split = load_split(out / "split.json", data)
    state = start_state(config, out, data, split, device, processes, reporter)
    _train(config, out, data, split, state, device, processes, reporter)


@contextmanager
def _held(config: Config, out: Path, resume: bool, processes: Processes) -> Iterator[None]:
    """A run's folder, fit to be written to; the first process holds it for all."""
    with ExitStack() as stack:

        def take() -> None:
            if not was_restarted() and (out / LAUNCH).exists():
                with exclusive(out):  # left by a launch that was stopped; its name may be this one's
                    (out / LAUNCH).unlink(missing_ok=True)
            _check_folder(config, out, resume)
            stack.enter_context(exclusive(out))
            _check_folder(config, out, resume)  # now that nobody else can change it
            if launch():
                write_atomically(out / LAUNCH, launch().encode())

        processes.first_alone(take)
        yield
        if processes.first:
            (out / LAUNCH).unlink(missing_ok=True)


def _train(
    config: Config,
    out: Path,
    data: ImageData,
    split: Split,
    state: State,
    device: torch.device,
    processes: Processes,
    reporter: Reporter,
) -> None:
    private = start_private(config, out, data, split, device) if config.private else None
    if private:
        step: TrainingStep = PrivateStep(config.training, private)
    else:
        batches = batches_of(data, split, config, device, processes.shard)
        step = step_of(state, config.training, batches, processes)
    if not processes.first:
        train_loop(state, step, config.training, [], _nothing, processes=processes)
        return
    judge = None
    if private is None:  # judges are trained on the training part, and look at real images
        reporter.message("preparing the judges on the validation part")
        judge = build_evaluator(data, split, split.validation, config.data.seed, reporter)
    counts = np.bincount(data.labels[split.train], minlength=len(data.classes)).tolist()
    log = RunLog(out, state)
    describe = {
        "config": config.model_dump(mode="json"),
        "config_hash": configs.digest(config),
        "classes": list(data.classes),
        "data": {
            "name": data.name,
            "licence": data.licence,
            # Both change with every single image: a private run keeps them to itself.
            "fingerprint": "" if private else data.fingerprint,
            "training_images": [] if private else counts,
        },
        **({"privacy": asdict(private.plan)} if private else {}),
    }
    log.start(describe, device, processes.shard.world)

    settle = settler(data, split, config, device)

    def save(state: State) -> None:
        settle(state)
        tensors = state.tensors()
        bad = [k for k, v in tensors.items() if v.is_floating_point() and not torch.isfinite(v).all()]
        if bad:
            raise Diverged(f"Training diverged at step {state.step}: {bad[0]} is no longer finite")
        average = {k.removeprefix("ema/"): v for k, v in tensors.items() if k.startswith("ema/")}
        values = {**describe, **state.values(), "ema_sha256": checkpoint.tensors_hash(average)}
        if private:
            values["privacy"] = facts(private, state.step * config.training.critic_steps)
        log.flush()
        checkpoint.write(out / "checkpoints", f"images-{state.images:09d}", tensors, values)

    every = {
        name: steps_of(getattr(config.training, f"{name}_kimg"), config.training) for name in ("sample", "evaluate")
    }
    hooks = [
        Hook("sample", every["sample"], lambda state: sample_grid(settle(state), data, out)),
        *([Hook("evaluate", every["evaluate"], lambda state: evaluate(settle(state), judge, log))] if judge else []),
        Hook("checkpoint", steps_of(config.training.checkpoint_kimg, config.training), save),
    ]
    try:
        train_loop(state, step, config.training, hooks, log.record, reporter, processes)
    except Interrupted:
        save(state)
        if private:
            reporter.message(sentence(private.plan.spent(state.step * config.training.critic_steps), private.plan))
        raise
    except OSError as error:
        last = checkpoint.latest(out / "checkpoints")
        kept = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        raise UserError(
            f"The run's files in {out} cannot be written ({error.strerror or error}); {kept}. Make room, or give rights, "
            "and run again with `resume`."
        ) from error
    except Diverged as error:
        last = checkpoint.latest(out / "checkpoints")
        kept = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        raise UserError(
            f"{error}; {kept}. Lower the learning rates (`training.lr_generator`) and try again."
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(
            f"There is not enough memory to train with batches of {config.training.batch} at {config.data.size} pixels: free "
            "some and run again with `resume`, or start another `out` with a smaller `training.batch` or size."
        ) from error
    finally:
        log.close()
    log.finish(state)
    if private:
        reporter.message(sentence(private.plan.spent(state.step * config.training.critic_steps), private.plan))


def images_of(config: Config) -> int:
    """Real images, repeats counted, that a finished run of this config has shown to the critic."""
    return steps_of(config.training.kimg, config.training) * images_per_step(config.training)


def is_finished(config: Config, out: Path) -> bool:
    """Whether `out` holds a run of `config`, wherever its data lay and whatever device it used, with all images shown.

    That its data are the same is not looked at.

    Raises:
        UserError: it holds a run of another config.
    """
    stored = stored_config(out)
    if stored is None:
        return False
    if changed := configs.differences(stored, configs.replace(config, {"data.path": stored.data.path})):
        theirs = "; ".join(changed[:2])
        raise UserError(
            f"{out} was trained with other settings (theirs / yours: {theirs}); choose another `out`, or the same settings."
        )
    newest = checkpoint.latest(out / "checkpoints")
    return newest is not None and checkpoint.read_values(newest)["images"] >= images_of(config)


def stored_config(out: Path) -> Config | None:
    """The config of the run in `out`, or None where there is no run."""
    return configs.read(out / "config.json") if (out / "config.json").exists() else None


def draw_beside_real(run: Path, path: Path, columns: int = 5) -> None:
    """Write a picture of real training images of each class, left, and generated ones, right, of a finished run."""
    loaded = load(run)
    if loaded.config.private:
        raise UserError(f"{run} was trained privately: no picture shows real images beside its own; leave them away.")
    data = open_configured(loaded.config.data)
    split = load_split(run / "split.json", data)
    rows = []
    for label, name in enumerate(data.classes):
        real = data.images[split.train[data.labels[split.train] == label][:columns]]
        seeds = [latent_seed(0, name, i) for i in range(columns)]
        made = np.stack(list(make_images(loaded.generator, [label] * columns, seeds)))
        gap = np.full_like(made[:1], 255)
        rows.append((name, np.concatenate([real, gap, made])))
    title = f"left: {data.name} images of the training part; right: generated, {loaded.values['images']:,} images shown"
    write_png(path, labelled_rows(rows, scale=2, title=title))


def last_evaluation(run: Path) -> list[MetricRow]:
    """The rows of the newest evaluation in a run's metrics, for its model card; empty where there is none.

    A run may come from a stranger: rows that are no metrics count as none.
    """
    lines = read_lines(run / "metrics.jsonl")
    rows = next((line.get("rows") for line in reversed(lines) if line.get("kind") == "evaluate"), None)
    try:
        return rows_from_json(rows if isinstance(rows, list) else [])
    except ValueError:
        return []


def _check_folder(config: Config, out: Path, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another `out`.")
    before = stored_config(out)
    if before is None:
        if others(out, "log.txt", LOCK, LAUNCH, "config.json"):
            raise UserError(f"{out} holds files that are not a run's; choose another `out`.")
        return
    if not resume:
        raise UserError(f"{out} holds a run already; go on with it by `resume`, or choose another `out`.")
    if before.private and config.training.kimg > before.training.kimg:
        raise UserError(
            f"The noise of the private run in {out} was planned for {before.training.kimg:g} kimg, and more would spend more "
            "than its epsilon; leave `kimg` away, or start in another `out`."
        )
    # Data may have been moved; that they are the same is seen by their fingerprint.
    same = {"training.kimg": max(before.training.kimg, config.training.kimg), "data.path": config.data.path}
    longer = configs.replace(before, same)
    if changed := configs.differences(longer, config):
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        raise UserError(
            f"`resume` needs the config that {out} was started with; theirs / yours differ in {'; '.join(changed[:2])}{more}. "
            "Leave the options away to go on with theirs."
        )
