"""Which real images generated ones are compared with: a run's own data and split, or those given for a folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hqgan.config.sections import ClassSelection
from hqgan.data import ALL_CLASSES, load_split, open_configured, open_data, split_of
from hqgan.errors import UserError
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.image_folder import folder_size
from hqgan.sampling.load import Loaded, check_split, load
from hqgan.types import ImageData, Split

MOST_TRAINING = 20_000
"""Training images that feature extractors are trained on, at most: they are held in memory."""
MOST_HELD_OUT = 5_000
"""Held-out images that generated ones are compared with, at most."""


def evaluation_subset(split: Split) -> Split:
    """The images that evaluation uses: all, or of large data `MOST_TRAINING` and `MOST_HELD_OUT` of them, always the same."""
    sides = ((split.train, MOST_TRAINING), (split.validation, MOST_HELD_OUT), (split.test, MOST_HELD_OUT))
    return Split(*(draw(rows, most) for rows, most in sides))


def draw(rows: np.ndarray, most: int) -> np.ndarray:
    """The rows, or where there are more than `most` a random `most` of them, always the same, sorted."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(most).choice(rows, most, replace=False))


def is_run(path: Path) -> bool:
    """Whether a path is a run's folder or a checkpoint, rather than a folder of images."""
    return path.suffix == ".json" or (path / "config.json").exists() or (path / "checkpoints").exists()


def data_of(loaded: Loaded, data_path: str | None, reporter: Reporter = SILENT) -> tuple[ImageData, Split]:
    """The data that a run was trained on, and its split.

    Args:
        loaded: the run.
        data_path: where the data are; None for where the run found them.
        reporter: receives messages and progress.

    Raises:
        UserError: these are not the data that the run was trained on, or not its split.
    """
    config = loaded.config.data
    path = data_path or config.path
    data = open_configured(config.model_copy(update={"path": path}), reporter)
    recorded = loaded.path.parent.parent / "split.json"
    if loaded.config.private:  # it keeps no fingerprint, but its split names files, classes and lesions
        if not recorded.exists():
            raise UserError(
                f"{recorded} is not there, by which alone a private run knows its data; it is never uploaded: ask who trained it."
            )
    elif loaded.values["data"]["fingerprint"] != data.fingerprint:
        raise UserError(
            f"{loaded.path.parent.parent} was not trained on {path}, or that has changed since; give the run's own `data`."
        )
    split = load_split(recorded, data) if recorded.exists() else split_of(data, config.seed, config.fraction)
    check_split(split, data, loaded.values, loaded.path.parent.parent)
    return data, split


def opened(
    target: Path, data_path: str | None, seed: int, choice: ClassSelection, reporter: Reporter
) -> tuple[Loaded | None, ImageData, Split]:
    """The run at `target`, None for a folder of images; the real images that either is compared with, and their split.

    Raises:
        UserError: nothing there, a folder without data, a run with a choice of its own, or other data than the run's.
    """
    if not target.exists():
        raise UserError(f"There is no run or folder at {target}.")
    if is_run(target):
        loaded = load(target)
        if choice != ALL_CLASSES:
            raise UserError(
                f"{target} is a run, with its own classes; leave `classes`, `merge`, `protocol` and `label` away."
            )
        return loaded, *data_of(loaded, data_path, reporter)
    if data_path is None:
        raise UserError(f"{target} is a folder of images: name the real images to compare it with by `data`.")
    data = open_data(data_path, folder_size(target), seed=seed, choice=choice, reporter=reporter)
    return None, data, split_of(data, seed)
