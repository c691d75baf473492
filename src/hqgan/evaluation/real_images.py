"""Which real images generated ones are compared with: a run's own data and split, or those given for a folder of images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from hqgan.config.sections import ClassSelection
from hqgan.data import ALL_CLASSES, load_split, open_configured, open_data, split_of
from hqgan.data.index import DatasetIndex
from hqgan.errors import UserError
from hqgan.io.files import read_json
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.image_folder import folder_size
from hqgan.sampling.load import Loaded, check_split, load
from hqgan.types import ImageData, Split

MOST_TRAINING = 20_000
"""Training images that feature extractors are trained on, at most: they are held in memory."""
MOST_HELD_OUT = 5_000
"""Held-out images that generated ones are compared with, at most."""
MOST_TIMES = 20
"""A data set of more than so many times the images that a run was trained on is not the run's."""


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


def own_data_path(loaded: Loaded) -> str:
    """Where a run's data lay when it was trained here.

    A checkpoint may come from a stranger, and name any folder of this machine: what it says is believed where the run's own
    run.json says the same.

    Raises:
        UserError: there is no run.json, as with a run from the hub, or it names another place.
    """
    path, folder = loaded.config.data.path, loaded.path.parent.parent
    try:
        own = read_json(folder / "run.json")["config"]["data"]["path"]
    except (OSError, ValueError, KeyError, TypeError):
        own = None
    if own != path:
        told = "has no run.json that says so" if own is None else f"has a run.json that says {str(own)[:80]!r}"
        raise UserError(
            f"{loaded.path} says that it was trained on {path[:80]!r}, and its folder {told}: nothing is opened on a stranger's "
            "word; name the run's own `data`."
        )
    return path


def _check_counts(loaded: Loaded, path: str, index: DatasetIndex) -> None:
    """Refuse images whose numbers cannot be those of a run's data, before any is decoded.

    Raises:
        UserError: classes or counts do not fit the training images that the checkpoint tells.
    """
    counts = loaded.values["data"]["training_images"]  # a private run tells none
    total, most = len(index.files), MOST_TIMES * sum(counts) / loaded.config.data.fraction
    found = Counter(index.labels) if not counts or total <= most else Counter()
    if counts and (
        total > most
        or set(found) != {name for name in loaded.classes if found[name]}
        or any(found[name] < n for name, n in zip(loaded.classes, counts, strict=True))
    ):
        raise UserError(
            f"{loaded.path.parent.parent} was not trained on {path}, or that has changed since (it has {total:,} images, "
            f"training took {sum(counts):,}): give the run's own `data`."
        )


def data_of(loaded: Loaded, data_path: str | None, reporter: Reporter = SILENT) -> tuple[ImageData, Split]:
    """The data that a run was trained on, and its split.

    Args:
        loaded: the run.
        data_path: where the data are; None for where the run found them, if it was trained here.
        reporter: receives messages and progress.

    Raises:
        UserError: these are not the data that the run was trained on, or not its split.
    """
    config = loaded.config.data
    path = data_path or own_data_path(loaded)
    config = config.model_copy(update={"path": path})
    data = open_configured(config, reporter, lambda index: _check_counts(loaded, path, index))
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
