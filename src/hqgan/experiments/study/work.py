"""One classifier of one arm and seed: its training images, its training, and its predictions on the test part."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.config.sections import ClassSelection
from hqgan.data import open_data, split_of
from hqgan.errors import UserError
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import classifiers, training
from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages
from hqgan.experiments.study.uses import USES, current_name
from hqgan.io.files import write_atomically
from hqgan.types import ImageData, LabelledImages, Split

VERSION = 1
"""Part of every result's key; raise it with anything that changes results."""

KEY = ("version", "fingerprint", "split", "seed", "fraction", "rare", "arm", "recipe", "source")
"""What decides a result, in the order of its file."""

Place = tuple[str, int, int, ClassSelection]
"""Arguments of `open_data`: path, size, seed, choice."""


@dataclass(frozen=True)
class Task:
    """One classifier to train and test; it holds plain values, so that it can be sent to another process.

    Attributes:
        result: the JSON to write; probabilities are written beside it as ``.npy``.
        data: arguments of `open_data`.
        seed: of the split and of the classifier.
        fraction: share of the training part that is kept.
        rare: labels of the classes to fill.
        arm: what the classifier is trained on.
        recipe: how it is trained.
        pool: folder of the pool of generated images; None for a classical arm.
        source: hash of the source of the pool; None for a classical arm.
        fingerprint: of the data.
        split: hash of the training and the test part.
        weights: SHA-256 of the weights that the classifier starts from; None if it is trained from scratch.
        threads: threads of torch.
    """

    result: Path
    data: Place
    seed: int
    fraction: float
    rare: tuple[int, ...]
    arm: plans.Arm
    recipe: classifiers.Recipe
    pool: Path | None
    source: str | None
    fingerprint: str
    split: str
    weights: str | None
    threads: int

    def key(self) -> dict[str, Any]:
        """Everything that decides the result; stored beside it, and compared before it is used again."""
        values = asdict(self) | {"version": VERSION}
        values["recipe"]["weights"] = self.weights
        return {name: values[name] for name in KEY}


@dataclass(frozen=True, kw_only=True)
class Tested(training.Scores):
    """A finished classifier and its scores on the test part, as its JSON file holds it.

    Attributes:
        key: what decided the result, see `Task.key`.
        name: of the arm.
        generated: generated images that it drew on, by class name.
        steps: optimiser steps.
        parameters: trainable numbers of the network.
        probabilities_sha256: hex hash of the probabilities that are stored beside it.
    """

    key: dict[str, Any]
    name: str
    generated: dict[str, int]
    steps: int
    parameters: int
    probabilities_sha256: str


def result_file(place: Path, arm: plans.Arm) -> Path:
    """Where an arm's result is, or will be: one that was finished under an old name keeps it."""
    old = (place / f"{name}.json" for name in arm.old_names)
    return next((path for path in old if path.exists()), place / f"{arm.name}.json")


def finished(task: Task) -> Tested | None:
    """The stored result of a task, or None. In older studies some uses of generated images have other names.

    Raises:
        UserError: the file is damaged.
    """
    if not task.result.exists():
        return None
    try:
        found = Tested(**json.loads(task.result.read_text()))
        found.key["arm"]["use"] = current_name(found.key["arm"]["use"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{task.result} is damaged ({error}); remove it to do that arm again.") from error
    return found


def run(task: Task) -> str:
    """Train and test one classifier and write its result atomically.

    Returns:
        The name of the arm.
    """
    torch.set_num_threads(task.threads)
    data, split = _opened(task.data, task.seed, task.fraction)
    batches, generated = training_images(task, data, split)
    plan = plans.CLASSICAL.get(task.arm.use)
    weights = None
    if plan and plan.weighted:
        counts = np.bincount(data.labels[split.train], minlength=len(data.classes))
        weights = counts.sum() / (len(data.classes) * np.maximum(counts, 1))
    torch.manual_seed(training.seed_of(task.seed, "weights"))
    network = classifiers.build(task.recipe, len(data.classes), data.images.shape[1])
    augment = training.standard_augmentation if plan is None or plan.augmented else None
    training.train(network, task.recipe, batches, augment, weights, training.seed_of(task.seed, "augmentation"))
    answers = training.probabilities(network, data.images[split.test])
    tested = Tested(
        key=task.key(),
        name=task.arm.name,
        generated=generated,
        steps=task.recipe.steps,
        parameters=sum(p.numel() for p in network.parameters()),
        probabilities_sha256=hashlib.sha256(answers.tobytes()).hexdigest(),
        **asdict(training.scores(answers, data.labels[split.test], data.classes)),
    )
    task.result.parent.mkdir(parents=True, exist_ok=True)
    # The probabilities come first: a result is finished when its JSON is there.
    temporary = task.result.with_suffix(".part.npy")
    np.save(temporary, answers)
    temporary.replace(task.result.with_suffix(".npy"))
    write_atomically(task.result, (json.dumps(asdict(tested), indent=1) + "\n").encode())
    return task.arm.name


def read_probabilities(task: Task, tested: Tested) -> np.ndarray:
    """The probabilities (N, C) of a finished classifier on the test part.

    Raises:
        UserError: the file is missing, or is not the one that the JSON was written with.
    """
    path = task.result.with_suffix(".npy")
    try:
        answers = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); remove {task.result.name} beside it to do that arm again."
        ) from error
    if hashlib.sha256(answers.tobytes()).hexdigest() != tested.probabilities_sha256:
        raise UserError(f"{path} does not belong to {task.result.name}; remove both to do that arm again.")
    return answers


@lru_cache(maxsize=2)
def _opened(place: Place, seed: int, fraction: float) -> tuple[ImageData, Split]:
    path, size, data_seed, choice = place
    data = open_data(path, size, seed=data_seed, choice=choice)
    return data, split_of(data, seed, fraction)


def training_images(task: Task, data: ImageData, split: Split) -> tuple[Batches, dict[str, int]]:
    """The batches that an arm is trained on, and the number of generated images that it draws on, by class name."""
    sampling = Sampling(np.random.default_rng([task.seed, 2]), task.recipe.batch, task.recipe.steps)
    real = TrainingImages(data.images, data.labels, split.train)
    if task.pool is None:
        return plans.CLASSICAL[task.arm.use].batches(real, sampling), {}
    pool = open_pool(task.pool)
    counts = np.bincount(data.labels[split.train], minlength=len(data.classes))
    rows = chosen(task, pool.labels, counts)
    labels = pool.labels[rows]
    generated = TrainingImages(np.asarray(pool.images[rows]), labels, np.arange(len(rows)))
    by_name = {data.classes[c]: int(n) for c, n in enumerate(np.bincount(labels, minlength=len(counts))) if n}
    return USES[task.arm.use].batches(real, generated, sampling), by_name


def chosen(task: Task, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rows of the pool that an arm draws on.

    Args:
        task: of the arm.
        labels: (N,) of the pool.
        counts: (C,) real training images by class.
    """
    assert task.pool is not None
    use = USES[task.arm.use]
    every = np.full(len(counts), plans.balance(counts))
    wanted = every if use.every_class else plans.fill(counts, task.rare, task.arm.ratio)
    order = [np.flatnonzero(labels == c) for c in range(len(counts))]
    if use.keep is not None:
        scored = np.load(scores_file(task.pool, task.arm.use), allow_pickle=False)
        order = [use.keep(rows, scored) for rows in order]
    return np.concatenate([rows[:k] for rows, k in zip(order, wanted, strict=True)]).astype(np.int64)


def save_pool(pool: LabelledImages, folder: Path) -> None:
    """Write the images and labels of a pool."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", pool.images)
    np.save(folder / "labels.npy", pool.labels)


def open_pool(folder: Path) -> LabelledImages:
    """The images that `save_pool` wrote, as a memory map, and their labels."""
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    return LabelledImages(images, np.load(folder / "labels.npy", allow_pickle=False))


def scores_file(folder: Path, use: str) -> Path:
    """Where the scores of a pool's images by a use's filter are stored while the study needs them."""
    return folder / f"{use}.npy"
