"""How long a comparison will take on this machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hqgan.config import Config
from hqgan.data import open_configured
from hqgan.errors import UserError
from hqgan.experiments.compare.contestants import (
    SETTINGS,
    Result,
    Settings,
    check,
    config_of,
    contestants_of,
    data_folder,
    run_path,
)
from hqgan.run import train as runs
from hqgan.run.preset_table import seconds_per_step
from hqgan.training.loop import images_per_step, steps_of

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
    """Thousands of images that each run shows, by its name; None for its preset's own.

    Args:
        settings: with seconds, they become as many images as a run's rate here and now allows, to two digits.
        before: what these seconds came to already in this comparison, so that it goes on with the same.
    """
    if settings.seconds is None:
        return {one.run: settings.kimg for one in contestants_of(settings)}
    found: dict[str, float | None] = dict(before)
    for one in contestants_of(settings):
        if one.run not in found:
            config = config_of(one, "demo", 0, settings, None)
            shown = images_per_step(config.training)
            kimg = shown / _a_step(config) * settings.seconds / 1000
            found[one.run] = max(round(kimg, 1 - math.floor(math.log10(kimg))), shown / 1000)
    return found


def hours(settings: Settings, out: Path) -> list[Result]:
    """Hours of training that a comparison still takes here: a row ``{name, seconds_per_kimg, kimg, runs, done, hours}`` each.

    A few steps of each contestant are timed on random images. Decoding, judges, and what a generator does before
    its steps (the autoencoder of latentqgan) come on top.
    """
    contestants = {one.run: one for one in check(settings)}
    kimg = lengths(settings, stored_lengths(read_settings(out), settings))
    rows = []
    for one in contestants.values():
        config = config_of(one, settings.data[0], 0, settings, kimg[one.run])
        seconds = seconds_of(config)
        done = 0
        for data in settings.data if out.exists() else ():
            folder = data_folder(open_configured(config_of(one, data, 0, settings, None).data))
            for seed in range(settings.seeds):
                own = config_of(one, data, seed, settings, kimg[one.run])
                done += runs.is_finished(own, run_path(out, folder, one, seed))
        total = len(settings.data) * settings.seeds
        rows.append(
            {
                "name": one.run,
                "seconds_per_kimg": seconds / config.training.kimg,
                "kimg": config.training.kimg,
                "runs": total,
                "done": done,
                "hours": (total - done) * seconds / 3600,
            }
        )
    return rows


def read_settings(out: Path) -> Result:
    """What was asked of the comparison in `out`; empty where there is none.

    Raises:
        UserError: the file is damaged, or another command's.
    """
    path = out / SETTINGS
    if not path.exists():
        return {}
    try:
        before = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); choose another --out.") from error
    if not isinstance(before, dict) or before.get("of") != "compare":
        raise UserError(f"{out} holds something else than a comparison; choose another --out.")
    return before


def stored_lengths(before: Result, settings: Settings) -> dict[str, float]:
    """What a budget in these seconds came to before, by run."""
    return dict(before.get("lengths", {}).get(f"{settings.seconds:g}", {})) if settings.seconds is not None else {}


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
