"""A run: config -> data, networks, hooks, loop. Where the parts meet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan import config as configs
from hqgan.config import Config
from hqgan.data import (
    BatchSampler,
    augment_dihedral,
    check_leaks,
    check_outside,
    load_split,
    open_configured,
    save_split,
    split_of,
)
from hqgan.data.cache import cache_folder
from hqgan.evaluate import judge_of, matched_images
from hqgan.files import others, sweep
from hqgan.generate import latent_seed, make_images
from hqgan.images import labelled_rows, to_float, write_png
from hqgan.lock import LOCK, only_one
from hqgan.metrics.features import train_proto
from hqgan.metrics.suite import Judge
from hqgan.models.build import build_critic, build_generator
from hqgan.models.generator import HybridGenerator
from hqgan.models.prototypes import PrototypeLatent
from hqgan.run_log import RunLog, read_lines
from hqgan.trained import facts_of, load
from hqgan.training import checkpoint, ema
from hqgan.training.loop import Diverged, Hook, Interrupted, images_per_step, steps_of
from hqgan.training.loop import train as train_loop
from hqgan.training.randomness import stream
from hqgan.training.state import State, layout, new_state
from hqgan.types import Batch, ImageData, Split, UserError, out_of_memory

OWN = ("config.json", "split.json", "run.json", "metrics.jsonl", "timing.jsonl")
"""Files that training writes in a run's folder."""
GRID_COLUMNS = 8
SETTLING_IMAGES = 512
"""Generated images on which the averaged generator's norms are measured before it is used."""


def silent(text: str) -> None:
    """Say nothing."""


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
            f"The device {name!r} cannot be used ({str(error).splitlines()[0]}); try --device cpu."
        ) from error
    return device


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    say: Callable[[str], None] = silent,
    on_data: Callable[[int, int], None] | None = None,
    on_step: Callable[[State, int], None] = lambda state, total: None,
) -> Path:
    """Train a model and leave a run folder.

    Args:
        config: what to do.
        out: the run folder; new or empty, unless `resume`.
        resume: go on from the newest checkpoint in `out`; the config must be the same but may ask for more kimg.
        say: told what is going on, a line at a time.
        on_data: told images decoded and images in all, when a data set is opened for the first time.
        on_step: told the state and the images in all, after each step.

    Returns:
        `out`.

    Raises:
        UserError: bad input, a full disk, divergence; what was written stays.
        Interrupted: stopped by Ctrl-C, after a checkpoint was written.
    """
    check_outside(config.data.path, out)
    _check_folder(config, out, resume)
    with only_one(out):
        _check_folder(config, out, resume)  # now that nobody else can change it
        device = resolve_device(config.training.device)
        data = open_configured(config.data, on_data)
        for file, reason in data.skipped[:5]:
            say(f"left out {file}: {reason}")
        if len(data.skipped) > 5:
            say(f"left out {len(data.skipped) - 5} more; `hqgan data inspect` lists them")
        if data.warning:
            say(data.warning)
        _train(config, out, data, device, say, on_step)
    return out


def _train(
    config: Config,
    out: Path,
    data: ImageData,
    device: torch.device,
    say: Callable[[str], None],
    on_step: Callable[[State, int], None],
) -> None:
    sweep(out, "checkpoints/.*.part", "samples/.*.part", *(f".{name}.*.part" for name in OWN))
    split = _split(config, data, out)

    random.seed(config.training.seed)
    torch.manual_seed(config.training.seed)
    np.random.seed(config.training.seed % 2**32)  # noqa: NPY002 - libraries that draw globally draw the same
    generator = build_generator(config, len(data.classes))
    critic = build_critic(config, len(data.classes), generator)
    source = generator.source if isinstance(generator, HybridGenerator) else None
    start = checkpoint.latest(out / "checkpoints")
    if start is None:
        # What a checkpoint holds need not be learnt again.
        rows = split.train
        generator.fit(to_float(data.images[rows]), torch.from_numpy(data.labels[rows]), config.training.seed, say)
    if isinstance(source, PrototypeLatent):
        say("training the feature network that prototypes start from")
        means = train_proto(
            data.images,
            data.labels,
            split.train,
            len(data.classes),
            fingerprint=data.fingerprint,
            cache=cache_folder(None),
        )
        source.start_from(torch.from_numpy(means))
    state = new_state(generator, critic, config.training, device)
    if start is not None:
        tensors, values = checkpoint.read(start)
        if facts_of(values, start).data.fingerprint != data.fingerprint:
            raise UserError(
                f"{config.data.path} is not the data that {out} was trained on; give that, or another --out."
            )
        try:
            state.restore(tensors, values)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{start} does not hold what training goes on from ({error}); start in another --out."
            ) from error
        say(f"resuming at {state.images:,} images from {start.name}")
    say("preparing the judges on the validation part")
    judge = judge_of(data, split, split.validation, config.data.seed, say)
    log = RunLog(out, state)
    describe = {
        "config": config.model_dump(mode="json"),
        "config_hash": configs.digest(config),
        "classes": list(data.classes),
        "data": {
            "name": data.name,
            "licence": data.licence,
            "fingerprint": data.fingerprint,
            "training_images": np.bincount(data.labels[split.train], minlength=len(data.classes)).tolist(),
        },
    }
    log.start(describe, device)

    settle = _settler(data, split, config, device)

    def save(state: State) -> None:
        settle(state)
        tensors = state.tensors()
        bad = [k for k, v in tensors.items() if v.is_floating_point() and not torch.isfinite(v).all()]
        if bad:
            raise Diverged(f"Training diverged at step {state.step}: {bad[0]} is no longer finite")
        average = {k.removeprefix("ema/"): v for k, v in tensors.items() if k.startswith("ema/")}
        values = {**describe, **state.values(), "ema_sha256": checkpoint.tensors_hash(average)}
        log.flush()
        checkpoint.write(out / "checkpoints", f"images-{state.images:09d}", tensors, values)

    every = {
        name: steps_of(getattr(config.training, f"{name}_kimg"), config.training) for name in ("sample", "evaluate")
    }
    hooks = [
        Hook("sample", every["sample"], lambda state: _sample_grid(settle(state), data, out)),
        Hook("evaluate", every["evaluate"], lambda state: _evaluate(settle(state), judge, log)),
        Hook("checkpoint", steps_of(config.training.checkpoint_kimg, config.training), save),
    ]
    total = images_of(config)
    try:
        train_loop(
            state,
            _batches(data, split, config, device),
            config.training,
            hooks,
            log.record,
            lambda state: on_step(state, total),
        )
    except Interrupted:
        save(state)
        raise
    except OSError as error:
        last = checkpoint.latest(out / "checkpoints")
        kept = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        raise UserError(
            f"The run's files in {out} cannot be written ({error.strerror or error}); {kept}. Make room, or give rights, "
            "and run again with --resume."
        ) from error
    except Diverged as error:
        last = checkpoint.latest(out / "checkpoints")
        kept = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        raise UserError(
            f"{error}; {kept}. Lower the learning rates (--set training.lr_generator=...) and try again."
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(
            f"There is not enough memory to train with batches of {config.training.batch} at {config.data.size} pixels: free "
            "some and run again with --resume, or start another --out with a smaller --set training.batch=... or size."
        ) from error
    finally:
        log.close()
    log.finish(state)


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
            f"{out} was trained with other settings (theirs / yours: {theirs}); choose another --out, or the same settings."
        )
    newest = checkpoint.latest(out / "checkpoints")
    return newest is not None and checkpoint.read_values(newest)["images"] >= images_of(config)


def stored_config(out: Path) -> Config | None:
    """The config of the run in `out`, or None where there is no run."""
    return configs.read(out / "config.json") if (out / "config.json").exists() else None


def draw_beside_real(run: Path, path: Path, columns: int = 5) -> None:
    """Write a picture of real training images of each class, left, and generated ones, right, of a finished run."""
    loaded = load(run)
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


def last_evaluation(run: Path) -> list[dict[str, Any]]:
    """The rows of the newest evaluation in a run's metrics, for its model card; empty where there is none."""
    lines = read_lines(run / "metrics.jsonl")
    rows = next((line.get("rows") for line in reversed(lines) if line.get("kind") == "evaluate"), None)
    return rows if rows is not None and _are_measures(rows) else []


def _are_measures(rows: Any) -> bool:
    """Whether rows are what an evaluation writes: the run may be a stranger's."""
    numbers = ("value", "floor", "bar")
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and isinstance(row.get("n"), int)
        and all(row.get(k) is None or isinstance(row[k], int | float) for k in numbers)
        for row in rows
    )


def _check_folder(config: Config, out: Path, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out.")
    before = stored_config(out)
    if before is None:
        if others(out, "log.txt", LOCK, "config.json"):
            raise UserError(f"{out} holds files that are not a run's; choose another --out.")
        return
    if not resume:
        raise UserError(f"{out} holds a run already; go on with it by --resume, or choose another --out.")
    # Data may have been moved; that they are the same is seen by their fingerprint.
    same = {"training.kimg": max(before.training.kimg, config.training.kimg), "data.path": config.data.path}
    longer = configs.replace(before, same)
    if changed := configs.differences(longer, config):
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        raise UserError(
            f"--resume needs the config that {out} was started with; theirs / yours differ in {'; '.join(changed[:2])}{more}. "
            "Leave the options away to go on with theirs."
        )


def _split(config: Config, data: ImageData, out: Path) -> Split:
    """The run's split, and its config beside it: the config first, for what has none is not known as a run."""
    path = out / "split.json"
    if path.exists():
        split = load_split(path, data)
        configs.write(config, out / "config.json")
        return split
    split = split_of(data, config.data.seed, config.data.fraction)
    check_leaks(split, data.groups)
    if empty := [side for side in ("train", "validation") if not len(getattr(split, side))]:
        raise UserError(
            f"{config.data.path} has no image on the side {empty[0]}: training needs a class of at least three groups (lesions, "
            "patients, or images that are no copies); add images, or merge classes."
        )
    configs.write(config, out / "config.json")
    save_split(path, split, data)
    return split


def _batches(data: ImageData, split: Split, config: Config, device: torch.device) -> Callable[[int], Batch]:
    sampler = BatchSampler(
        data.labels[split.train], config.training.batch, config.training.seed, config.training.balanced
    )

    def batch(step: int) -> Batch:
        rows = split.train[sampler.batch(step)]
        images = data.images[rows]
        if config.training.dihedral:
            images = augment_dihedral(images, np.random.default_rng([config.training.seed, step]))
        floats = to_float(images).to(device, memory_format=layout(config.training))
        return Batch(floats, torch.from_numpy(data.labels[rows]).to(device))

    return batch


def _settler(data: ImageData, split: Split, config: Config, device: torch.device) -> Callable[[State], State]:
    """What readies the averaged generator for use: its batch norms' statistics, from images as training makes them."""
    training = config.training
    sampler = BatchSampler(data.labels[split.train], training.batch, training.seed, training.balanced)
    rows = np.concatenate([sampler.batch(step) for step in range(-(-SETTLING_IMAGES // training.batch))])
    labels = torch.from_numpy(data.labels[split.train][rows[:SETTLING_IMAGES]]).to(device)

    settled = -1  # the step; sample, evaluation and checkpoint often fall on one

    def settle(state: State) -> State:
        nonlocal settled
        if state.step != settled:
            noise = torch.randn(
                SETTLING_IMAGES, state.generator.noise_size, generator=stream(training.seed, "settling noise", 0)
            )
            ema.settle(state.average, noise.to(device), labels)
            settled = state.step
        return state

    return settle


def _sample_grid(state: State, data: ImageData, out: Path) -> None:
    """The same latents each time, a row for each class, by the averaged generator."""
    classes = range(len(data.classes))
    labels = [c for c in classes for _ in range(GRID_COLUMNS)]
    seeds = [latent_seed(0, data.classes[c], i) for c in classes for i in range(GRID_COLUMNS)]
    images = np.stack(list(make_images(state.average, labels, seeds)))  # type: ignore[arg-type]
    rows = [(name, images[c * GRID_COLUMNS : (c + 1) * GRID_COLUMNS]) for c, name in enumerate(data.classes)]
    (out / "samples").mkdir(exist_ok=True)
    write_png(out / "samples" / f"images-{state.images:09d}.png", labelled_rows(rows, title=f"{state.images:,} images"))


def _evaluate(state: State, judge: Judge, log: RunLog) -> dict[str, Any]:
    start = time.perf_counter()
    images = matched_images(state.average, judge.classes, judge.labels, seed=0)  # type: ignore[arg-type]
    rows = judge(images, judge.labels)
    log.skip(time.perf_counter() - start)
    return {"rows": rows}
