"""What a study is asked for, and its cells: one seed at one fraction, with its data, split and sources of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hqgan import config as configs
from hqgan.config import ClassSelection
from hqgan.data import ALL_CLASSES, check_leaks, open_data, split_of
from hqgan.errors import UserError
from hqgan.evaluation.evaluate import is_run
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import leaks, sources
from hqgan.experiments.study.sources import GAUSSIAN
from hqgan.sampling.load import load
from hqgan.types import ImageData, Split


@dataclass(frozen=True)
class Settings:
    """What a study is to do.

    Attributes:
        data: a data set's folder, or demo.
        size: side of the images in pixels.
        seeds: one split, generator and classifier each.
        generators: presets to train, or ``pca-gaussian``.
        given: runs and folders of images beside them; a run is used for the seed whose split it was trained on.
        kimg: training length of the presets; None for the preset's own.
        fill: classes to fill up; None for the rare ones.
        uses: of generated images, keys of `arms.USES`.
        ratios: of the use ``mixed``.
        classifiers: names, each with its own results.
        weights: safetensors by classifier to fine-tune from.
        steps: of every classifier; None for its default.
        fractions: of the training part, each a study of its own.
        jobs: classifiers side by side.
        device: on which generators train.
        choice: which images and classes of the data.
    """

    data: str
    size: int = 64
    seeds: tuple[int, ...] = (0, 1, 2)
    generators: tuple[str, ...] = ("hqgan", "dcgan", GAUSSIAN)
    given: tuple[str, ...] = ()
    kimg: float | None = None
    fill: tuple[str, ...] | None = None
    uses: tuple[str, ...] = tuple(plans.USES)
    ratios: tuple[float, ...] = plans.RATIOS
    classifiers: tuple[str, ...] = ("small",)
    weights: tuple[tuple[str, str], ...] = ()
    steps: int | None = None
    fractions: tuple[float, ...] = (1.0,)
    jobs: int = 1
    device: str = "auto"
    choice: ClassSelection = ALL_CLASSES


def as_json(settings: Settings) -> dict[str, Any]:
    """What JSON can hold of settings."""
    return {**asdict(settings), "choice": settings.choice.model_dump(mode="json")}


def quick(settings: Settings) -> Settings:
    """The same study cut down to minutes on two cores: two seeds, two generators, short training, few uses."""
    return replace(
        settings,
        seeds=settings.seeds[:2],
        generators=("demo", GAUSSIAN),
        kimg=settings.kimg or 6.0,
        uses=("mixed", "capped", "only"),
        ratios=(1.0,),
        steps=settings.steps or 100,
    )


@dataclass(frozen=True)
class Cell:
    """One seed at one fraction: its data (the same for every seed, but for demo), split, and sources of images."""

    seed: int
    fraction: float
    data: ImageData
    split: Split
    rare: list[int]
    runs: dict[str, Path]
    folders: dict[str, Path]


def check(settings: Settings) -> None:
    """Refuse, with a UserError, what no part of a study could work with."""
    if settings.size not in (32, 64):
        raise UserError(f"A study's images have 32 or 64 pixels, not {settings.size}; choose one of them by --size.")
    if wrong := [f for f in settings.fractions if not 0 < f <= 1]:
        raise UserError(
            f"--real-fraction {wrong[0]:g} is outside 0 to 1; 0.25 takes a quarter of the training part's lesions."
        )


def names_of(settings: Settings) -> list[str]:
    """The sources of images by name, each once.

    Raises:
        UserError: a path that is not there, or two sources of one name.
    """
    folders: list[str] = []
    presets = list(settings.generators)
    for path in map(Path, settings.given):
        if not path.exists():
            raise UserError(f"There is no run or folder at {path}.")
        if is_run(path):
            presets.append(load(path).config.preset)
        else:
            folders.append(path.name)
    if twice := sorted({n for n in folders if folders.count(n) > 1 or n in {*presets, *configs.PRESETS, GAUSSIAN}}):
        raise UserError(f"Two sources of images would be called {twice[0]!r}: rename the folder of that name.")
    return list(dict.fromkeys([*presets, *folders]))


def cell_of(settings: Settings, seed: int, fraction: float, on_data: Callable[[int, int], None] | None) -> Cell:
    """A seed's data and split, checked, and the given runs and folders that belong to it.

    Raises:
        UserError: a lesion or a picture on both sides, no rare class, a given run of another split or seed.
    """
    data = open_data(settings.data, settings.size, seed=seed, choice=settings.choice, progress=on_data)
    split = split_of(data, seed, fraction)
    check_leaks(split, data.groups)
    train, test = split.train, split.test
    leaks.refuse_copies(
        data.images[train],
        data.files[train].tolist(),
        data.images[test],
        data.files[test].tolist(),
        "the training image",
    )
    rare = plans.rare_classes(np.bincount(data.labels, minlength=len(data.classes)), data.classes, settings.fill)
    given_runs: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    for text in settings.given:
        path = Path(text)
        if not is_run(path):
            folders[path.name] = path
            continue
        config = load(path).config
        if config.data.seed not in settings.seeds or config.data.fraction not in settings.fractions:
            raise UserError(
                f"{path} was trained with data seed {config.data.seed} and fraction {config.data.fraction:g}, which this "
                "study does not have; add its seed to --seeds, or leave it out."
            )
        if (config.data.seed, config.data.fraction) == (seed, fraction):
            sources.check_run(path, data, split)
            if config.preset in given_runs:
                raise UserError(
                    f"{given_runs[config.preset]} and {path} are two runs of {config.preset} with one seed; give one."
                )
            given_runs[config.preset] = path
    return Cell(seed, fraction, data, split, rare, given_runs, folders)


def cell_name(cell: Cell) -> str:
    """``seed0``, ``seed0-fraction0.25``; part of file names."""
    return f"seed{cell.seed}" + (f"-fraction{cell.fraction:g}" if cell.fraction != 1 else "")


def run_path(out: Path, cell: Cell, name: str) -> Path:
    """Where a preset's run for this cell is: the given one, or in the study's folder."""
    return cell.runs.get(name) or out / "generators" / f"{name}-{cell_name(cell)}"
