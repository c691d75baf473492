"""How long a study will take on this machine, said before it begins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from hqgan.evaluation.real_images import is_run
from hqgan.experiments.study import classifiers, training, work
from hqgan.experiments.study.arms import Arm
from hqgan.experiments.study.cells import CellFolders, Settings
from hqgan.experiments.study.sources import FITTED
from hqgan.run.folder import is_finished
from hqgan.run.preset_table import seconds_per_step
from hqgan.runtime.devices import resolve_device
from hqgan.runtime.threads import cores
from hqgan.sampling.load import load
from hqgan.training.length import steps_of
from hqgan.wording import duration, listed, plural

CLASSES = 8
"""Classes of the random images that are timed: the number hardly matters, and no data set has to be decoded."""
STEPS, TIMES = 3, 3
"""Steps of a classifier that are timed, and how often, the median counts: the first are slow, and others use the machine."""


@dataclass(frozen=True)
class Estimate:
    """What is left of a study.

    Attributes:
        generators: runs to train.
        generator_seconds: the time for all of them.
        classifiers: to train.
        classifier_seconds: the time for all of them.
    """

    generators: int
    generator_seconds: float
    classifiers: int
    classifier_seconds: float

    def __str__(self) -> str:
        if not self.generators + self.classifiers:
            return "every generator and classifier of this study is trained"
        parts = []
        if self.generators:
            parts.append(f"{duration(self.generator_seconds)} for {plural(self.generators, 'generator')}")
        if self.classifiers:
            parts.append(f"{duration(self.classifier_seconds)} for {plural(self.classifiers, 'classifier')}")
        total = duration(self.generator_seconds + self.classifier_seconds)
        return f"this takes about {total} on this machine: {listed(parts)}; decoding and measuring come on top"


def estimate(
    settings: Settings,
    places: Sequence[CellFolders],
    arms: Sequence[Arm],
    recipes: Mapping[str, classifiers.Recipe],
) -> Estimate:
    """Time a few steps of each generator and classifier on random images, and multiply by what is left to do.

    Args:
        settings: of the study.
        places: its seeds and fractions.
        arms: its arms.
        recipes: its classifiers by name.

    Raises:
        UserError: an unknown preset, or a run of the study was made with other settings.
    """
    configs = (load(path).config for path in map(Path, settings.given) if is_run(path))
    given = {(config.preset, config.data.seed, config.data.fraction) for config in configs}
    runs, run_seconds = 0, 0.0
    for name in settings.generators:
        if name in FITTED:
            continue
        left = [place for place in places if (name, place.seed, place.fraction) not in given]
        left = [place for place in left if not is_finished(place.config(name, settings), place.trained(name))]
        if left:
            config = left[0].config(name, settings)
            device = resolve_device(config.training.device)
            step = seconds_per_step(config, CLASSES, device=device)
            run_seconds += len(left) * steps_of(config.training.kimg, config.training) * step
        runs += len(left)
    count, seconds = 0, 0.0
    for name, recipe in recipes.items():
        files = [work.result_file(place.arms / name, arm) for place in places for arm in arms]
        if missing := sum(not file.exists() for file in files):
            seconds += missing * _seconds(recipe, settings)
            count += missing
    return Estimate(runs, run_seconds, count, seconds)


def _seconds(recipe: classifiers.Recipe, settings: Settings) -> float:
    """Seconds to train a classifier."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, cores() // settings.jobs))
    pixels = np.zeros((recipe.batch, settings.size, settings.size, 3), np.uint8)
    batch = pixels, np.arange(recipe.batch) % CLASSES
    network = classifiers.build(recipe, CLASSES, settings.size)
    short = replace(recipe, steps=STEPS)
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        training.train(network, short, lambda step: batch, training.standard_augmentation, None, 0)
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return float(np.median(seconds)) / STEPS * recipe.steps
