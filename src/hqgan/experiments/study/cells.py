"""The settings of a study, and its cells: one seed at one fraction, with its data, split and sources of images."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hqgan import config as configs
from hqgan.config import Config
from hqgan.config.sections import ClassSelection
from hqgan.data import ALL_CLASSES, open_data
from hqgan.errors import UserError
from hqgan.evaluation.real_images import is_run
from hqgan.experiments.splits import check_run, checked_split, refuse_copies
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study.sources import FITTED, GAUSSIAN
from hqgan.experiments.study.uses import USES
from hqgan.reporter import Reporter
from hqgan.sampling.load import load
from hqgan.types import ImageData, Split


@dataclass(frozen=True)
class Settings:
    """What a study is to do.

    Attributes:
        data: folder of a data set, or demo.
        size: side of the images in pixels.
        seeds: random seeds; each has its own split, generators and classifiers.
        generators: presets to train, and sources that the study fits itself (``pca-gaussian``).
        given: runs and folders of images to use as well; a run is used for the seed whose split it was trained on.
        kimg: training length of the presets in thousands of images; None for each preset's own.
        fill: classes to fill; None for the rare ones.
        uses: of generated images, keys of `hqgan.experiments.study.uses.USES`.
        ratios: of generated images in the use ``mixed``; 1 fills a class to the mean class size.
        classifiers: keys of `hqgan.experiments.study.classifiers.CLASSIFIERS`; each has its own results.
        weights: classifier and path of safetensors to fine-tune it from.
        steps: of every classifier; None for its default.
        fractions: shares of the training part; each is a study of its own.
        jobs: classifiers that are trained at the same time.
        device: on which generators are trained.
        choice: which images and classes of the data are used.
    """

    data: str
    size: int = 64
    seeds: tuple[int, ...] = (0, 1, 2)
    generators: tuple[str, ...] = ("hqgan", "dcgan", GAUSSIAN)
    given: tuple[str, ...] = ()
    kimg: float | None = None
    fill: tuple[str, ...] | None = None
    uses: tuple[str, ...] = tuple(USES)
    ratios: tuple[float, ...] = plans.RATIOS
    classifiers: tuple[str, ...] = ("small",)
    weights: tuple[tuple[str, str], ...] = ()
    steps: int | None = None
    fractions: tuple[float, ...] = (1.0,)
    jobs: int = 1
    device: str = "auto"
    choice: ClassSelection = ALL_CLASSES


def as_json(settings: Settings) -> dict[str, Any]:
    """Settings as JSON values."""
    return {**asdict(settings), "choice": settings.choice.model_dump(mode="json")}


def quick(settings: Settings) -> Settings:
    """The same study in under five minutes on two cores: two seeds, two generators, short training, few uses."""
    return replace(
        settings,
        seeds=settings.seeds[:2],
        generators=("demo", GAUSSIAN),
        kimg=settings.kimg or 2.0,
        uses=("mixed", "balanced-mix", "only"),
        ratios=(1.0,),
        steps=settings.steps or 100,
    )


@dataclass(frozen=True)
class CellFolders:
    """One seed at one fraction of the training part, and where its files lie.

    Attributes:
        seed: of the split, the generators and the classifiers.
        fraction: share of the training part that is kept.
        out: the study's folder.
    """

    seed: int
    fraction: float
    out: Path

    @property
    def name(self) -> str:
        """``seed0``, ``seed0-fraction0.25``; part of file names."""
        return f"seed{self.seed}" + (f"-fraction{self.fraction:g}" if self.fraction != 1 else "")

    def trained(self, preset: str) -> Path:
        """Folder of the run of a preset that the study trains itself."""
        return self.out / "generators" / f"{preset}-{self.name}"

    @property
    def pools(self) -> Path:
        """Folder of the pools of generated images."""
        return self.out / "pools" / self.name

    @property
    def arms(self) -> Path:
        """Folder of the results."""
        return self.out / "arms" / self.name

    def config(self, preset: str, settings: Settings) -> Config:
        """The config of the run of a preset that the study trains itself."""
        changes: dict[str, Any] = {
            "data.path": settings.data,
            "data.size": settings.size,
            "data.choice": settings.choice.model_dump(mode="json"),
            "data.seed": self.seed,
            "data.fraction": self.fraction,
            "training.seed": self.seed,
            "training.device": settings.device,
        }
        if settings.kimg is not None:
            changes["training.kimg"] = settings.kimg
        return configs.preset(preset, changes)


@dataclass(frozen=True)
class Cell(CellFolders):
    """One seed at one fraction of the training part, with its data and sources of images.

    Attributes:
        data: the data set; the same for every seed, except for demo.
        split: of this seed.
        rare: labels of the classes to fill.
        runs: folders of given runs that were trained on this split, by preset.
        folders: given folders of images, by name.
    """

    data: ImageData
    split: Split
    rare: list[int]
    runs: dict[str, Path]
    folders: dict[str, Path]

    def run(self, preset: str) -> Path:
        """Folder of the run of a preset: the given one, or one in the study's folder."""
        return self.runs.get(preset) or self.trained(preset)


def check(settings: Settings) -> None:
    """Raise a UserError for a size or a fraction that a study cannot work with."""
    if settings.size not in (32, 64):
        raise UserError(f"A study's images have 32 or 64 pixels, not {settings.size}; choose one of them by `size`.")
    if wrong := [f for f in settings.fractions if not 0 < f <= 1]:
        raise UserError(
            f"`fractions` {wrong[0]:g} is outside 0 to 1; 0.25 takes a quarter of the training part's lesions."
        )


def names_of(settings: Settings) -> list[str]:
    """The sources of images by name, each once.

    Raises:
        UserError: a path that is not there, or two sources of one name.
    """
    paths = [Path(text) for text in settings.given]
    if missing := [path for path in paths if not path.exists()]:
        raise UserError(f"There is no run or folder at {missing[0]}.")
    presets = [*settings.generators, *(load(path).config.preset for path in paths if is_run(path))]
    folders = [path.name for path in paths if not is_run(path)]
    if twice := sorted({n for n in folders if folders.count(n) > 1 or n in {*presets, *configs.PRESETS, *FITTED}}):
        raise UserError(f"Two sources of images would have the name {twice[0]!r}; rename the folder.")
    return list(dict.fromkeys([*presets, *folders]))


def cell_of(settings: Settings, seed: int, fraction: float, out: Path, reporter: Reporter) -> Cell:
    """The data and the split of a seed, checked, and the given runs and folders that belong to it.

    Raises:
        UserError: an image or a lesion is on both sides, no class is rare, or a given run has another split or seed.
    """
    data = open_data(settings.data, settings.size, seed=seed, choice=settings.choice, reporter=reporter)
    split = checked_split(data, seed, fraction)
    train, test = ((data.images[rows], data.files[rows]) for rows in (split.train, split.test))
    refuse_copies(*train, *test, "the training image")
    rare = plans.rare_classes(np.bincount(data.labels, minlength=len(data.classes)), data.classes, settings.fill)
    given_runs: dict[str, Path] = {}
    folders = {path.name: path for path in map(Path, settings.given) if not is_run(path)}
    for path in filter(is_run, map(Path, settings.given)):
        config = load(path).config
        if config.data.seed not in settings.seeds or config.data.fraction not in settings.fractions:
            raise UserError(
                f"{path} was trained with data seed {config.data.seed} and fraction {config.data.fraction:g}, which this "
                "study does not have; add its seed to `seeds`, or leave it out."
            )
        if (config.data.seed, config.data.fraction) == (seed, fraction):
            check_run(path, data, split)
            if config.preset in given_runs:
                raise UserError(
                    f"{given_runs[config.preset]} and {path} are two runs of {config.preset} with one seed; give one."
                )
            given_runs[config.preset] = path
    return Cell(seed, fraction, out, data, split, rare, given_runs, folders)
