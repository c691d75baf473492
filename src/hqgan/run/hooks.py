"""What a run does every so often: settle the average, draw samples, evaluate."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.config import Config
from hqgan.data import BatchSampler
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics.evaluator import Evaluator
from hqgan.run.log import RunLog
from hqgan.runtime.random_streams import stream
from hqgan.sampling.images import latent_seed, make_images, matched_images
from hqgan.training import ema
from hqgan.training.state import State
from hqgan.types import ImageData, Split

GRID_COLUMNS = 8
SETTLING_IMAGES = 512
"""Generated images on which the averaged generator's norms are measured before it is used."""


def settler(data: ImageData, split: Split, config: Config, device: torch.device) -> Callable[[State], State]:
    """What readies the averaged generator for use: its batch norms' statistics, from images as training makes them."""
    training = config.training
    if config.private:  # the mix of the real images is theirs
        labels = torch.arange(SETTLING_IMAGES, device=device) % len(data.classes)
    else:
        sampler = BatchSampler(data.labels[split.train], training.batch, training.seed, training.balanced)
        rows = np.concatenate([sampler.batch(step) for step in range(-(-SETTLING_IMAGES // training.batch))])
        labels = torch.from_numpy(data.labels[split.train][rows[:SETTLING_IMAGES]]).to(device)

    settled = -1  # the step; sample, evaluation and checkpoint often fall on one

    def settle(state: State) -> State:
        nonlocal settled
        if state.step != settled:
            noise = stream(training.seed, "settling noise", 0).normal(SETTLING_IMAGES, state.generator.noise_size)
            ema.recalibrate_batch_norm(state.average, noise.to(device), labels)
            settled = state.step
        return state

    return settle


def sample_grid(state: State, data: ImageData, out: Path) -> None:
    """The same latents each time, a row for each class, by the averaged generator."""
    classes = range(len(data.classes))
    labels = [c for c in classes for _ in range(GRID_COLUMNS)]
    seeds = [latent_seed(0, data.classes[c], i) for c in classes for i in range(GRID_COLUMNS)]
    images = np.stack(list(make_images(state.average, labels, seeds)))  # type: ignore[arg-type]
    rows = [(name, images[c * GRID_COLUMNS : (c + 1) * GRID_COLUMNS]) for c, name in enumerate(data.classes)]
    (out / "samples").mkdir(exist_ok=True)
    write_png(out / "samples" / f"images-{state.images:09d}.png", labelled_rows(rows, title=f"{state.images:,} images"))


def evaluate(state: State, judge: Evaluator, log: RunLog) -> dict[str, Any]:
    """What the judge says of the averaged generator; the time it takes is none of training's."""
    start = time.perf_counter()
    images = matched_images(state.average, judge.classes, judge.labels, seed=0)  # type: ignore[arg-type]
    rows = judge(images, judge.labels)
    log.skip(time.perf_counter() - start)
    return {"rows": [row.as_json() for row in rows]}
