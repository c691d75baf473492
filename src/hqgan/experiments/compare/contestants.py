"""The settings of a comparison: contestants given by preset, changes and backend, and their configs under one budget.

The tables of the paper (arXiv 2506.21015) are such settings, for ISIC 2019 and a GPU, and at a small size for two cores.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hqgan import config as configs
from hqgan.circuits.backends.registry import backend_of
from hqgan.config import Config
from hqgan.errors import UserError
from hqgan.models.build import circuit_of
from hqgan.types import ImageData
from hqgan.wording import listed

EVALUATIONS = 6
"""Evaluations of each run during training, evenly spaced: the points of its curves."""

FIXED = {
    "data.path": "; give `data`",
    "data.size": "; give `size`",
    "data.seed": "; give `seeds`",
    "training.seed": "; give `seeds`",
    "training.kimg": "; give `kimg`",
    "training.evaluate_kimg": "",
    "training.device": "; give `device`",
}
"""Fields that a comparison sets itself, and the option that sets them."""

SYNTAX = "PRESET, PRESET:FIELD=VALUE or PRESET@BACKEND,SHOTS, as in hqgan:generator.circuit.layers=2 and hqgan@aer,256"


@dataclass(frozen=True)
class Contestant:
    """A generator that is compared: how it is trained, and what its circuits run on when it makes images.

    Attributes:
        name: the text that it was given by.
        preset: of its config.
        changes: dotted field to value.
        backend: of the circuits when images are made; training always uses our simulator.
        shots: of that backend; None for its default.
    """

    name: str
    preset: str
    changes: dict[str, Any] = field(default_factory=dict)
    backend: str = "statevector"
    shots: int | None = None

    @property
    def folder(self) -> str:
        """Its name as part of file names."""
        return _file_name(self.name)

    @property
    def run(self) -> str:
        """Name of its run; contestants that differ only in the backend share one."""
        return _file_name(self.name.partition("@")[0])

    def run_path(self, out: Path, data: str, seed: int) -> Path:
        """Folder of a run in a comparison's folder `out`; `data` is the `data_folder`."""
        return out / "runs" / data / f"{self.run}-seed{seed}"

    def result_path(self, out: Path, data: str, seed: int) -> Path:
        """File of what was measured of a run in a comparison's folder `out`; `data` is the `data_folder`."""
        return out / "results" / data / f"{self.folder}-seed{seed}.json"


@dataclass(frozen=True)
class Settings:
    """What a comparison is to do.

    Attributes:
        data: folders of data sets, or demo.
        contestants: as texts, see `SYNTAX`; the others are tested against the first.
        seeds: number of seeds; seed s decides the split, the first weights and the noise of run s of every contestant.
        size: side of the images in pixels.
        kimg: thousands of real images shown to each critic; if it and `seconds` are None, each preset's own length.
        seconds: of training for each run instead, turned into kimg by its speed on this machine.
        changes: dotted field to value, for all contestants.
        images: number of images of the test part that are compared, in its class mix; None for all.
        study: options of the augmentation study that follows (fields of `hqgan.experiments.study.Settings`); None for no study.
        device: on which generators are trained.
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


_FULL = Settings(kimg=700, seeds=3, changes={"data.choice.protocol": "hybridq"})
"""At full size: on the fifth of ISIC 2019 that the paper uses."""

_SMALL: dict[str, Any] = {"kimg": 16, "seeds": 1, "changes": {}}
"""The fields that are smaller in all suites at the small size."""

_EVERYONE = (
    "paper", "hqgan", "wgan-gp", "dcgan", "pqwgan", "mosaiq", "latentqgan", "lightweight", "stylegan2-ada", "ddpm",
)  # fmt: skip
_NOISY = ("@aer,1024", "@fake:brisbane,1024")
_STUDY = {"uses": ("mixed", "balanced-mix"), "ratios": (1.0,)}

SUITES: dict[str, tuple[Settings, dict[str, Any]]] = {
    "paper-quality": (replace(_FULL, contestants=_EVERYONE), _SMALL),
    "paper-study": (
        replace(
            _FULL,
            contestants=("paper", "hqgan", "dcgan", "lightweight", "stylegan2-ada", "ddpm"),
            study={"classifiers": ("resnet18", "vit-small"), **_STUDY},
        ),
        _SMALL | {"contestants": ("paper", "hqgan", "dcgan"), "study": {**_STUDY, "steps": 400}},
    ),
    "paper-hardware": (
        replace(
            _FULL,
            contestants=tuple(name + place for name in ("paper", "hqgan") for place in ("", *_NOISY)),
            seeds=1,
            images=256,
        ),
        # Sixteen qubits with the noise of a machine are simulated at full size only.
        _SMALL | {"contestants": ("paper", "paper@aer,1024", "hqgan", *("hqgan" + p for p in _NOISY)), "images": 64},
    ),
}
"""By name: the settings at full size, and the fields that differ at the small size."""


def parse(text: str) -> Contestant:
    """A contestant from ``PRESET[:FIELD=VALUE,...][@BACKEND[,SHOTS]]``.

    Raises:
        UserError: the text has another form, or there is no such preset.
    """
    trained, at, running = text.partition("@")
    name, colon, assignments = trained.partition(":")
    changes = configs.parse_assignments(re.split(r",(?=[a-z0-9_]+\.[a-z0-9_.]+=)", assignments)) if colon else {}
    if name not in configs.PRESETS:
        configs.preset(name)  # says which there are
    backend, comma, shots = running.partition(",")
    if (at and not backend) or (comma and not (shots.isdecimal() and int(shots))):
        raise UserError(f"`contestants` takes {SYNTAX}, not {text!r}.")
    if backend.startswith("ibm"):
        raise UserError(f"{text}: jobs on {backend} cost money; send them with `hqgan generate --backend {backend}`.")
    if own := [name for name in changes if name.startswith("data.") or name in FIXED]:
        raise UserError(f"{text}: {own[0]} is the same for all contestants; leave it out{FIXED.get(own[0], '')}.")
    return Contestant(text, name, changes, backend or "statevector", int(shots) if comma else None)


def check(settings: Settings) -> list[Contestant]:
    """All contestants, each once; settings that would fail after hours of training are refused now.

    Raises:
        UserError: a text that `parse` refuses, two names that give the same folder, a field that a comparison sets itself, an
            unknown backend or one for a generator without circuits, or a study of contestants that it cannot take.
    """
    if fixed := [name for name in settings.changes if name in FIXED]:
        raise UserError(
            f"`{fixed[0]}` is not allowed in a comparison, which sets it itself; leave it out{FIXED[fixed[0]]}."
        )
    if settings.seconds is not None and not math.isfinite(settings.seconds):
        raise UserError("`seconds` takes a finite number.")
    found = contestants_of(settings)
    for one in found:
        config = config_of(one, settings.data[0], 0, settings, settings.kimg)
        if one.backend != "statevector" or one.shots is not None:
            try:
                backend_of(one.backend, shots=one.shots)
            except UserError as error:
                raise UserError(f"{one.name}: {error}") from error
            if circuit_of(config) is None:
                raise UserError(f"{one.name}: preset {one.preset} has no circuits; leave out @{one.backend}.")
    return found


def contestants_of(settings: Settings) -> list[Contestant]:
    """All contestants, each once.

    Raises:
        UserError: a text that `parse` refuses, two names that give the same folder, or a study of such contestants.
    """
    found = [parse(text) for text in dict.fromkeys(settings.contestants)]
    by_file: dict[str, str] = {}
    for one in found:
        if by_file.setdefault(one.folder, one.name) != one.name:
            raise UserError(
                f"`contestants` {one.name} and {by_file[one.folder]} would have the same folder; leave one out."
            )
    if settings.study is not None and (odd := [one.name for one in found if one.name != one.preset]):
        raise UserError(f"`study` takes presets without changes or backends, not {odd[0]}; leave out one of them.")
    return found


def config_of(contestant: Contestant, data: str, seed: int, settings: Settings, kimg: float | None) -> Config:
    """The config of one run.

    Args:
        contestant: which one.
        data: path of the data set.
        seed: of split, weights and noise.
        settings: of the comparison.
        kimg: length in thousands of images; None for the preset's own.
    """
    changes = {
        "data.path": data,
        "data.size": settings.size,
        "data.fit": "crop",  # the same for all, whatever the preset has
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
    """Name of a data set's folders. It holds the fingerprint of its images of seed 0, since two data sets may have one name."""
    return f"{data.name}-{data.fingerprint[:8]}"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def suite(name: str, small: bool) -> Settings:
    """The settings of one of the paper's tables.

    Raises:
        UserError: there is no such suite.
    """
    if name not in SUITES:
        raise UserError(f"There is no suite {name!r}; suites are {listed(sorted(SUITES))}.")
    full, less = SUITES[name]
    return replace(full, **less) if small else full
