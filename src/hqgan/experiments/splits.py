"""Splits of an experiment and the generators trained on them; checks that nothing has seen the test images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqgan.config import Config
from hqgan.data import check_leaks, load_split, split_of
from hqgan.errors import UserError
from hqgan.metrics.near_duplicates import nearest_copies
from hqgan.reporter import Reporter
from hqgan.run import train as runs
from hqgan.run.folder import is_finished, stored_config
from hqgan.sampling.load import check_split, load
from hqgan.types import ImageData, Split

Names = Sequence[str] | np.ndarray


@dataclass(frozen=True)
class DataInfo:
    """Facts about the data of a result.

    Attributes:
        name: of the data set's layout.
        fingerprint: see `ImageData`.
        licence: one line.
        classes: names.
        training_images: (C,) images by class in the training part of the first seed.
        test_images: (C,) in its test part.
    """

    name: str
    fingerprint: str
    licence: str
    classes: list[str]
    training_images: list[int]
    test_images: list[int]

    @property
    def counts(self) -> str:
        """``nevus 420/120, melanoma 70/20``: images by class in the training and the test part."""
        counts = zip(self.classes, self.training_images, self.test_images, strict=True)
        return ", ".join(f"{name} {train}/{test}" for name, train, test in counts)


def describe(data: ImageData, split: Split) -> DataInfo:
    """The description of data and a split that results hold."""
    train, test = (
        np.bincount(data.labels[rows], minlength=len(data.classes)).tolist() for rows in (split.train, split.test)
    )
    return DataInfo(data.name, data.fingerprint, data.licence, list(data.classes), train, test)


def checked_split(data: ImageData, seed: int, fraction: float = 1.0) -> Split:
    """The split of a seed.

    Args:
        data: the data set.
        seed: of the split.
        fraction: share of the training part that is kept.

    Raises:
        UserError: images of one lesion or patient stand on two sides.
    """
    split = split_of(data, seed, fraction)
    check_leaks(split, data.groups)
    return split


def parts_hash(data: ImageData, *parts: np.ndarray) -> str:
    """Hex SHA-256 of the files and lesions of parts of a split, given by their rows."""
    digest = hashlib.sha256()
    for rows in parts:
        digest.update(json.dumps([data.files[rows].tolist(), data.groups[rows].tolist()]).encode())
    return digest.hexdigest()


def check_run(path: Path, data: ImageData, split: Split) -> None:
    """Refuse a run that was not trained on exactly the training part of `split`.

    Raises:
        UserError: other data, or another split; a split that leaks.
    """
    loaded = load(path)
    # A private run keeps no fingerprint, but its split says what it was trained on.
    if not loaded.config.private and loaded.values["data"]["fingerprint"] != data.fingerprint:
        raise UserError(f"{path} was trained on other data; leave it out.")
    own = load_split(loaded.path.parent.parent / "split.json", data)
    check_split(own, data, loaded.values, path)
    if set(own.train.tolist()) != set(split.train.tolist()):
        seen = len(set(own.train.tolist()) & set(split.test.tolist()))
        raise UserError(
            f"{path} was trained on another split (data seed {loaded.config.data.seed}, fraction "
            f"{loaded.config.data.fraction:g}; it has seen {seen} of the test images); give a run with the same seed, "
            "or leave it out and let a new one be trained."
        )


def train_on_split(config: Config, path: Path, data: ImageData, split: Split, title: str, reporter: Reporter) -> None:
    """Train a run, or continue it, unless it is finished; then check that it has seen this training part only.

    Args:
        config: of the run.
        path: its folder.
        data: the data set.
        split: the split of its seed.
        title: what to report when training starts.
        reporter: receives messages and progress.

    Raises:
        UserError: the folder holds a run of another config, other data or another split.
    """
    if not is_finished(config, path):
        reporter.message(title)
        runs.train(config, path, resume=stored_config(path) is not None, reporter=reporter, alone=True)
    check_run(path, data, split)


def refuse_copies(images: np.ndarray, names: Names, test: np.ndarray, test_names: Names, what: str) -> None:
    """Refuse images that are copies of test images.

    Args:
        images: (N, S, S, 3) uint8 on the training side.
        names: (N,) names for the message.
        test: (M, S, S, 3) uint8 test images.
        test_names: (M,) names for the message.
        what: what the images are, for the message.

    Raises:
        UserError: there are copies; it names the first pair and their number.
    """
    pairs = nearest_copies(images, test)
    if len(pairs):
        i, j = pairs[0]
        more = f" (and {len(pairs) - 1:,} more)" if len(pairs) > 1 else ""
        raise UserError(
            f"The study leaks: {what} {names[i]} is a copy of the test image {test_names[j]}{more}, so results would be "
            "meaningless. Remove it, or give both images the same lesion."
        )
