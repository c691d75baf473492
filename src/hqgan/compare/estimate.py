"""How long a comparison will take on this machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hqgan import run as runs
from hqgan.compare.contestants import SETTINGS, Result, Settings, config_of, contestants_of, run_path
from hqgan.config import Config
from hqgan.data import open_data
from hqgan.presets import seconds_per_step
from hqgan.training.loop import images_per_step, steps_of
from hqgan.types import UserError

TIMED = 16
"""Steps that a rate is taken from: penalties that come every 8 or 16 steps have their share in it."""
CLASSES = 8
"""Of the random images that are timed: their number hardly matters, and a data set need not be decoded for it."""


def seconds_of(config: Config) -> float:
    """Seconds of training that a run is expected to take here."""
    return steps_of(config.training.kimg, config.training) * _a_step(config)


def _a_step(config: Config) -> float:
    """Seconds of a training step here and now."""
    return seconds_per_step(config, CLASSES, TIMED, runs.resolve_device(config.training.device))


def lengths(settings: Settings, before: Mapping[str, float]) -> dict[str, float | None]:
    """Thousands of images that each contestant is shown, by name; None for its preset's own.

    Args:
        settings: with seconds, they become as many images as a contestant's rate here and now allows, to two digits.
        before: what seconds came to when this comparison was started, so that it goes on with the same.
    """
    if settings.seconds is None:
        return {one.name: settings.kimg for one in contestants_of(settings)}
    found: dict[str, float | None] = {}
    rates: dict[str, float] = {}
    for one in contestants_of(settings):
        if one.name in before:
            found[one.name] = before[one.name]
            continue
        config = config_of(one, "demo", 0, settings, None)
        shown = images_per_step(config.training)
        if one.run not in rates:
            rates[one.run] = shown / _a_step(config)
        kimg = rates[one.run] * settings.seconds / 1000
        found[one.name] = max(round(kimg, 1 - math.floor(math.log10(kimg))), shown / 1000)
    return found


def hours(settings: Settings, out: Path) -> list[Result]:
    """Hours of training that a comparison still takes here: a row ``{name, seconds_per_kimg, kimg, runs, done, hours}`` each.

    A few steps of each contestant are timed on random images. Decoding, judges, and what a generator does before
    its steps (the autoencoder of latentqgan) come on top.
    """
    kimg = lengths(settings, read_lengths(out, settings))
    rows = []
    trained: set[str] = set()
    for one in contestants_of(settings):
        if one.run in trained:
            continue
        trained.add(one.run)
        config = config_of(one, settings.data[0], 0, settings, kimg[one.name])
        seconds = seconds_of(config)
        cells = [(data, seed) for data in settings.data for seed in range(settings.seeds)]
        done = 0
        for data, seed in cells:
            if not out.exists():
                continue
            own = config_of(one, data, seed, settings, kimg[one.name])
            name = open_data(data, settings.size, seed=seed).name
            done += runs.is_finished(own, run_path(out, name, one, seed))
        rows.append(
            {
                "name": one.run,
                "seconds_per_kimg": seconds / config.training.kimg,
                "kimg": config.training.kimg,
                "runs": len(cells),
                "done": done,
                "hours": (len(cells) - done) * seconds / 3600,
            }
        )
    return rows


def read_lengths(out: Path, settings: Settings) -> dict[str, float]:
    """What a budget in seconds came to in the comparison that `out` holds; empty where it holds none of the same seconds."""
    path = out / SETTINGS
    if not path.exists() or settings.seconds is None:
        return {}
    try:
        before = json.loads(path.read_text())
        return before["lengths"] if before["seconds"] == settings.seconds else {}
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}); choose another --out.") from error


def table(rows: list[Result]) -> list[Any]:
    """A rich table of `hours`, and the sum."""
    from rich.table import Table

    out = Table(caption="training alone, as fast as this machine is now; measuring and decoding come on top")
    out.add_column("run")
    for name in ("s a kimg", "kimg", "runs", "finished", "hours left"):
        out.add_column(name, justify="right")
    for row in rows:
        out.add_row(
            row["name"],
            f"{row['seconds_per_kimg']:.1f}",
            f"{row['kimg']:g}",
            str(row["runs"]),
            str(row["done"]),
            f"{row['hours']:.2f}",
        )
    total = sum(row["hours"] for row in rows)
    return [out, f"{total:.1f} hours of training in all."]
