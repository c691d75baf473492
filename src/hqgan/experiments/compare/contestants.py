"""What a comparison is asked for: contestants by preset, changes and backend, and their configs under one budget."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hqgan import config as configs
from hqgan.circuits.backends.registry import backend_of
from hqgan.config import Config
from hqgan.errors import UserError
from hqgan.models.build import circuit_of
from hqgan.types import ImageData

EVALUATIONS = 6
"""Of each run while it trains, evenly: the points of its curves."""

FIXED = {
    "data.path": "; give --data",
    "data.size": "; give --size",
    "data.seed": "; give --seeds",
    "training.seed": "; give --seeds",
    "training.kimg": "; give --kimg",
    "training.evaluate_kimg": "",
    "training.device": "; give --device",
}
"""Fields that a comparison sets itself, and how."""

SETTINGS = "settings.json"
"""In a comparison's folder: what was asked for last."""

Result = dict[str, Any]

SYNTAX = "PRESET, PRESET:FIELD=VALUE or PRESET@BACKEND,SHOTS, as in hqgan:generator.circuit.layers=2 and hqgan@aer,256"


@dataclass(frozen=True)
class Contestant:
    """A generator that takes part: how it is trained, and what its circuits run on when it makes images.

    Attributes:
        name: as it was asked for.
        preset: of its config.
        changes: dotted field to value.
        backend: of the circuits when images are made; training is on ours.
        shots: of that backend; None for its default.
    """

    name: str
    preset: str
    changes: dict[str, Any] = field(default_factory=dict)
    backend: str = "statevector"
    shots: int | None = None

    @property
    def folder(self) -> str:
        """Its name as a file's name."""
        return _file_name(self.name)

    @property
    def run(self) -> str:
        """What its run is called: contestants that differ in the backend alone share one."""
        return _file_name(self.name.partition("@")[0])


@dataclass(frozen=True)
class Settings:
    """What a comparison is to do.

    Attributes:
        data: data sets' folders, or demo.
        contestants: as texts, see `SYNTAX`; the others are tested against the first.
        seeds: how many; seed s decides split, first weights and noise of every contestant's run number s.
        size: side of the images in pixels.
        kimg: thousands of real images shown to each critic; None, with `seconds` None too, for each preset's own.
        seconds: of training for each instead, turned into kimg by its rate on this machine.
        changes: dotted field to value, for all contestants.
        images: of the test part that are compared, in its class mix; None for all.
        study: options of the augmentation study that follows (fields of `hqgan.experiments.study.Settings`); None for no study.
        device: on which they train.
    """

    data: tuple[str, ...] = ("demo",)
    contestants: tuple[str, ...] = ("hqgan", "hqgan-mlp", "dcgan")
    seeds: int = 3
    size: int = 64
    kimg: float | None = None
    seconds: float | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    images: int | None = None
    study: dict[str, Any] | None = None
    device: str = "auto"


def parse(text: str) -> Contestant:
    """A contestant from ``PRESET[:FIELD=VALUE,...][@BACKEND[,SHOTS]]``.

    Raises:
        UserError: it does not read so, or there is no such preset.
    """
    trained, at, running = text.partition("@")
    name, colon, assignments = trained.partition(":")
    changes = configs.parse_assignments(re.split(r",(?=[a-z0-9_]+\.[a-z0-9_.]+=)", assignments)) if colon else {}
    if name not in configs.PRESETS:
        configs.preset(name)  # says which there are
    backend, comma, shots = running.partition(",")
    if (at and not backend) or (comma and not (shots.isdecimal() and int(shots))):
        raise UserError(f"--presets takes {SYNTAX}, not {text!r}.")
    if backend.startswith("ibm"):
        raise UserError(f"{text}: jobs on {backend} are paid for; send them by `hqgan generate --backend {backend}`.")
    if own := [name for name in changes if name.startswith("data.") or name in FIXED]:
        raise UserError(f"{text}: {own[0]} is the same for all contestants; leave it out{FIXED.get(own[0], '')}.")
    return Contestant(text, name, changes, backend or "statevector", int(shots) if comma else None)


def check(settings: Settings) -> list[Contestant]:
    """All contestants, each once, and nothing among the settings that would fail after hours.

    Raises:
        UserError: a text that `parse` refuses; names that come to one file; fields that are not free; a backend that is not
            there, or a generator without circuits on one; a study of what it cannot take.
    """
    if fixed := [name for name in settings.changes if name in FIXED]:
        raise UserError(f"--set {fixed[0]} has no place in a comparison; leave it out{FIXED[fixed[0]]}.")
    if settings.seconds is not None and not math.isfinite(settings.seconds):
        raise UserError("--seconds takes a finite number.")
    found = contestants_of(settings)
    for one in found:
        config = config_of(one, settings.data[0], 0, settings, settings.kimg)
        if one.backend != "statevector" or one.shots is not None:
            try:
                backend_of(one.backend, shots=one.shots)
            except UserError as error:
                raise UserError(f"{one.name}: {error}") from error
            if circuit_of(config) is None:
                raise UserError(f"{one.name}: preset {one.preset} has no circuits; leave @{one.backend} away.")
    return found


def contestants_of(settings: Settings) -> list[Contestant]:
    """All contestants, each once.

    Raises:
        UserError: a text that `parse` refuses, names that come to one file, or a study of what it cannot take.
    """
    found = [parse(text) for text in dict.fromkeys(settings.contestants)]
    by_file: dict[str, str] = {}
    for one in found:
        if by_file.setdefault(one.folder, one.name) != one.name:
            raise UserError(f"--presets {one.name} and {by_file[one.folder]} would share a folder; leave one out.")
    if settings.study is not None and (odd := [one.name for one in found if one.name != one.preset]):
        raise UserError(f"--study takes presets as they are, not {odd[0]}; leave it out or do without --study.")
    return found


def config_of(contestant: Contestant, data: str, seed: int, settings: Settings, kimg: float | None) -> Config:
    """The config of one run.

    Args:
        contestant: whose.
        data: the data set.
        seed: of split, weights and noise.
        settings: what all have alike.
        kimg: its length; None for the preset's.
    """
    changes = {
        "data.path": data,
        "data.size": settings.size,
        "data.fit": "crop",  # as all, whatever the preset's own
        "data.seed": seed,
        "training.seed": seed,
        "training.device": settings.device,
        **settings.changes,
        **contestant.changes,
    }
    if kimg is not None:
        changes["training.kimg"] = kimg
    try:
        config = configs.preset(contestant.preset, changes)
    except UserError as error:
        raise UserError(f"{contestant.name}: {error}") from error
    return configs.replace(config, {"training.evaluate_kimg": config.training.kimg / EVALUATIONS})


def data_folder(data: ImageData) -> str:
    """What a data set's folder is called, by its images of seed 0: two sets may have one name."""
    return f"{data.name}-{data.fingerprint[:8]}"


def run_path(out: Path, data: str, contestant: Contestant, seed: int) -> Path:
    """Where a run of a comparison lies; `data` is its `data_folder`."""
    return out / "runs" / data / f"{contestant.run}-seed{seed}"


def result_path(out: Path, data: str, contestant: Contestant, seed: int) -> Path:
    """Where what was measured of it lies."""
    return out / "results" / data / f"{contestant.folder}-seed{seed}.json"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)
