"""How long a comparison will take on this machine, and how long runs are that have a budget in seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hqgan.config import Config
from hqgan.data import open_configured
from hqgan.experiments.compare.contestants import Settings, check, config_of, contestants_of, data_folder
from hqgan.experiments.folder import read_settings
from hqgan.run.folder import is_finished
from hqgan.run.preset_table import seconds_per_step
from hqgan.runtime.devices import resolve_device
from hqgan.training.length import images_per_step, steps_of

TIMED = 16
"""Steps that are timed; penalties that come every 8 or 16 steps are among them."""
CLASSES = 8
"""Classes of the random images that are timed: the number hardly matters, and no data set has to be decoded."""


@dataclass(frozen=True)
class TrainingTime:
    """The time that the runs of one contestant take.

    Attributes:
        name: of its runs.
        seconds_per_kimg: seconds of training for a thousand images.
        kimg: length of a run.
        runs: in all.
        done: finished ones.
        hours: of training that are left.
    """

    name: str
    seconds_per_kimg: float
    kimg: float
    runs: int
    done: int
    hours: float


def _seconds_per_step(config: Config) -> float:
    """Seconds of a training step on this machine."""
    return seconds_per_step(config, CLASSES, TIMED, resolve_device(config.training.device))


def lengths(settings: Settings, before: Mapping[str, Any]) -> dict[str, float | None]:
    """Length of each run in thousands of images, by its name; None for its preset's own.

    Args:
        settings: a budget in seconds becomes as many images as the run's speed on this machine allows, to two digits.
        before: the settings stored in the comparison's folder; the lengths that this budget was turned into there are kept.
    """
    if settings.seconds is None:
        return {one.run: settings.kimg for one in contestants_of(settings)}
    found: dict[str, float | None] = dict(before.get("lengths", {}).get(f"{settings.seconds:g}", {}))
    for one in contestants_of(settings):
        if one.run not in found:
            config = config_of(one, "demo", 0, settings, None)
            shown = images_per_step(config.training)
            kimg = shown / _seconds_per_step(config) * settings.seconds / 1000
            found[one.run] = max(round(kimg, 1 - math.floor(math.log10(kimg))), shown / 1000)
    return found


def hours(settings: Settings, out: Path) -> list[TrainingTime]:
    """The training that a comparison still takes on this machine.

    A few steps of each contestant are timed on random images. Not included are decoding, feature extractors, and what a generator
    does before its first step (the autoencoder of latentqgan).

    Raises:
        UserError: bad settings, or the folder `out` holds something else.
    """
    contestants = {one.run: one for one in check(settings)}
    kimg = lengths(settings, read_settings(out, "comparison", "runs"))
    rows = []
    for one in contestants.values():
        config = config_of(one, settings.data[0], 0, settings, kimg[one.run])
        seconds = steps_of(config.training.kimg, config.training) * _seconds_per_step(config)
        done = 0
        for data in settings.data if out.exists() else ():
            folder = data_folder(open_configured(config_of(one, data, 0, settings, None).data))
            for seed in range(settings.seeds):
                own = config_of(one, data, seed, settings, kimg[one.run])
                done += is_finished(own, one.run_path(out, folder, seed))
        total = len(settings.data) * settings.seeds
        left = (total - done) * seconds / 3600
        rows.append(TrainingTime(one.run, seconds / config.training.kimg, config.training.kimg, total, done, left))
    return rows
