"""What a run does at intervals: recalibrate the average's batch norms, draw samples, evaluate, write checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.data import BatchSampler
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics.evaluator import Evaluator
from hqgan.run.log import RunLog
from hqgan.run.mode import RunMode
from hqgan.run.setup import Setup
from hqgan.runtime.random_streams import stream
from hqgan.sampling.images import latent_seed, make_images, matched_images
from hqgan.training import checkpoint, ema
from hqgan.training.length import steps_of
from hqgan.training.loop import Diverged, Hook
from hqgan.training.state import State
from hqgan.types import ImageData

GRID_COLUMNS = 8
RECALIBRATION_IMAGES = 512
"""Generated images on which the batch norms of the averaged generator are measured before it is used."""

Recalibrate = Callable[[State], State]


def hooks_of(
    setup: Setup, recalibrate: Recalibrate, save: Callable[[State], None], evaluator: Evaluator | None, log: RunLog
) -> list[Hook]:
    """Samples, evaluation and checkpoints, in this order, at the intervals of the config."""

    def every(kimg: float) -> int:
        return steps_of(kimg, training)

    training = setup.config.training
    hooks = [
        Hook(
            "sample", every(training.sample_kimg), lambda state: sample_grid(recalibrate(state), setup.data, setup.out)
        )
    ]
    if evaluator:
        hooks += [
            Hook("evaluate", every(training.evaluate_kimg), lambda state: evaluate(recalibrate(state), evaluator, log))
        ]
    return [*hooks, Hook("checkpoint", every(training.checkpoint_kimg), save)]


def checkpoint_writer(
    setup: Setup, mode: RunMode, description: dict[str, Any], recalibrate: Recalibrate, log: RunLog
) -> Callable[[State], None]:
    """A function that writes a checkpoint of a state; it raises `Diverged` where a weight is not finite."""

    def save(state: State) -> None:
        recalibrate(state)
        tensors = state.tensors()
        bad = [k for k, v in tensors.items() if v.is_floating_point() and not torch.isfinite(v).all()]
        if bad:
            raise Diverged(f"Training diverged at step {state.step}: {bad[0]} is no longer finite")
        average = {k.removeprefix("ema/"): v for k, v in tensors.items() if k.startswith("ema/")}
        values = {**description, **state.values(), "ema_sha256": checkpoint.tensors_hash(average)}
        log.flush()
        name = f"images-{state.images:09d}"
        checkpoint.write(setup.out / "checkpoints", name, tensors, values | mode.checkpoint_values(state))

    return save


def recalibrator(setup: Setup) -> Recalibrate:
    """A function that measures the batch norms of a state's averaged generator on images as training generates them."""
    data, split, device, training = setup.data, setup.split, setup.device, setup.config.training
    if setup.config.private:  # how many real images each class has is private
        labels = torch.arange(RECALIBRATION_IMAGES, device=device) % len(data.classes)
    else:
        sampler = BatchSampler(data.labels[split.train], training.batch, training.seed, training.balanced)
        rows = np.concatenate([sampler.batch(step) for step in range(-(-RECALIBRATION_IMAGES // training.batch))])
        labels = torch.from_numpy(data.labels[split.train][rows[:RECALIBRATION_IMAGES]]).to(device)

    done_at = -1  # the step; sample, evaluation and checkpoint often fall on one

    def recalibrate(state: State) -> State:
        nonlocal done_at
        if state.step != done_at:
            noise = stream(training.seed, "settling noise", 0).normal(RECALIBRATION_IMAGES, state.generator.noise_size)
            ema.recalibrate_batch_norm(state.average, noise.to(device), labels)
            done_at = state.step
        return state

    return recalibrate


def sample_grid(state: State, data: ImageData, out: Path) -> None:
    """Write a picture of images by the averaged generator, a row for each class, from the same latents each time."""
    classes = range(len(data.classes))
    labels = [c for c in classes for _ in range(GRID_COLUMNS)]
    seeds = [latent_seed(0, data.classes[c], i) for c in classes for i in range(GRID_COLUMNS)]
    images = np.stack(list(make_images(state.average, labels, seeds)))  # type: ignore[arg-type]
    rows = [(name, images[c * GRID_COLUMNS : (c + 1) * GRID_COLUMNS]) for c, name in enumerate(data.classes)]
    (out / "samples").mkdir(exist_ok=True)
    write_png(out / "samples" / f"images-{state.images:09d}.png", labelled_rows(rows, title=f"{state.images:,} images"))


def evaluate(state: State, evaluator: Evaluator, log: RunLog) -> dict[str, Any]:
    """Measure the averaged generator; the time it takes does not count as training."""
    start = time.perf_counter()
    images = matched_images(state.average, evaluator.classes, evaluator.labels, seed=0)  # type: ignore[arg-type]
    rows = evaluator(images, evaluator.labels)
    log.skip(time.perf_counter() - start)
    return {"rows": [row.as_json() for row in rows]}
