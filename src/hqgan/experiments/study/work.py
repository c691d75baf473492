"""One classifier of one arm and seed: what it is shown, its training, its answers on the test part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.config import ClassSelection
from hqgan.data import open_data, split_of
from hqgan.errors import UserError
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import classifiers
from hqgan.experiments.study.arms import Arm
from hqgan.experiments.study.classifiers import Recipe
from hqgan.experiments.study.scores import scores
from hqgan.experiments.study.sources import open_pool
from hqgan.io.files import write_atomically
from hqgan.types import ImageData, Split

VERSION = 1
"""Part of every result's key; raise it with anything that changes results."""


Place = tuple[str, int, int, ClassSelection]
"""Arguments of `open_data`: path, size, seed, choice."""


@dataclass(frozen=True)
class Task:
    """What `run` needs; plain values, so that it can go to another process.

    Attributes:
        result: the JSON to write; probabilities go beside it as ``.npy``.
        data: path, size and seed of the data.
        seed: of the split and of the classifier.
        fraction: of the training part.
        rare: labels of the classes to fill.
        arm: what is shown.
        recipe: how it learns.
        pool: stem of the generator's pool; None for a classical arm.
        source: hash of what made the pool.
        fingerprint: of the data.
        split: hash of which image stands on which side, and of lesions.
        weights: SHA-256 of the file that the classifier starts from; None from scratch.
        threads: of torch.
    """

    result: Path
    data: Place
    seed: int
    fraction: float
    rare: tuple[int, ...]
    arm: Arm
    recipe: Recipe
    pool: Path | None
    source: str | None
    fingerprint: str
    split: str
    weights: str | None
    threads: int

    def key(self) -> dict[str, Any]:
        """Everything that decides the result."""
        return {
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "seed": self.seed,
            "fraction": self.fraction,
            "rare": list(self.rare),
            "arm": asdict(self.arm),
            "recipe": asdict(self.recipe) | {"weights": self.weights},
            "source": self.source,
        }


def finished(task: Task) -> dict[str, Any] | None:
    """What was written for a task before, or None.

    Raises:
        UserError: it is damaged.
    """
    if not task.result.exists():
        return None
    try:
        return json.loads(task.result.read_text())
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{task.result} is damaged ({error}); remove it to do that arm again.") from error


def run(task: Task) -> str:
    """Train and test one classifier and write what came of it, whole or not at all; its name."""
    torch.set_num_threads(task.threads)
    data, split = _opened(task.data, task.seed, task.fraction)
    draw, given = _shown(task, data, split)
    weights = None
    if task.arm.use == "weighted":
        counts = np.bincount(data.labels[split.train], minlength=len(data.classes))
        weights = counts.sum() / (len(data.classes) * np.maximum(counts, 1))
    torch.manual_seed(_seed(task.seed, "weights"))
    network = classifiers.build(task.recipe, len(data.classes), data.images.shape[1])
    augment = None if task.arm.use == "real" else classifiers.standard_augmentation
    classifiers.train(network, task.recipe, draw, augment, weights, _seed(task.seed, "augmentation"))
    answers = classifiers.probabilities(network, data.images[split.test])
    labels = data.labels[split.test]
    values = {
        "key": task.key(),
        "name": task.arm.name,
        "generated": given,
        "steps": task.recipe.steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        **scores(answers, labels, data.classes),
        "probabilities_sha256": hashlib.sha256(answers.tobytes()).hexdigest(),
    }
    task.result.parent.mkdir(parents=True, exist_ok=True)
    # The answers first: a result is finished when its JSON is there.
    temporary = task.result.with_suffix(".part.npy")
    np.save(temporary, answers)
    temporary.replace(task.result.with_suffix(".npy"))
    write_atomically(task.result, (json.dumps(values, indent=1) + "\n").encode())
    return task.arm.name


def filter_classifier(data: ImageData, split: Split, seed: int, steps: int) -> torch.nn.Module:
    """A small classifier trained on real images with classes equally often, as the arm ``oversampled``, of its own seed."""
    recipe = classifiers.recipe_of("small", steps, None)
    torch.manual_seed(_seed(seed, "filter weights"))
    network = classifiers.build(recipe, len(data.classes), data.images.shape[1])
    draw = _balanced(data, split, np.random.default_rng([seed, 3]), recipe.batch)
    classifiers.train(network, recipe, draw, classifiers.standard_augmentation, None, _seed(seed, "filter"))
    return network


@lru_cache(maxsize=2)
def _opened(place: Place, seed: int, fraction: float) -> tuple[ImageData, Split]:
    path, size, data_seed, choice = place
    data = open_data(path, size, seed=data_seed, choice=choice)
    return data, split_of(data, seed, fraction)


Batches = Callable[[int], tuple[np.ndarray, np.ndarray]]


def _shown(task: Task, data: ImageData, split: Split) -> tuple[Batches, dict[str, int]]:
    """The batches that an arm shows, and how many generated images of each class it draws on."""
    rng = np.random.default_rng([task.seed, 2])
    size, arm = task.recipe.batch, task.arm
    if arm.use in ("real", "augmented", "weighted"):
        return _plain(data.images, data.labels, split.train, rng, size), {}
    balanced = _balanced(data, split, rng, size)
    if arm.use == "oversampled":
        return balanced, {}
    assert task.pool is not None
    pool = open_pool(task.pool)
    counts = np.bincount(data.labels[split.train], minlength=len(data.classes))
    rows = _chosen(task, pool.labels, counts)
    named = {data.classes[c]: int(n) for c, n in enumerate(np.bincount(pool.labels[rows], minlength=len(counts))) if n}
    images, labels = np.asarray(pool.images[rows]), pool.labels[rows]
    if arm.use == "mixed":
        return _plain(
            np.concatenate([data.images[split.train], images]),
            np.concatenate([data.labels[split.train], labels]),
            np.arange(len(split.train) + len(rows)),
            rng,
            size,
        ), named
    made = _by_class(images, labels, rng, size)
    if arm.use == "only":
        return made, named
    if arm.use == "pretrain":
        until = round(plans.PRETRAINING * task.recipe.steps)
        return lambda step: made(step) if step < until else balanced(step), named

    def capped(step: int) -> tuple[np.ndarray, np.ndarray]:
        pixels, own = balanced(step)
        pixels = pixels.copy()
        swap = np.flatnonzero(np.isin(own, np.unique(labels)) & (rng.random(len(own)) < plans.CAP))
        for i in swap:
            pixels[i] = images[rng.choice(np.flatnonzero(labels == own[i]))]
        return pixels, own

    return capped, named


def _chosen(task: Task, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rows of the pool that an arm draws on."""
    assert task.pool is not None
    arm = task.arm
    if arm.use in ("only", "pretrain"):
        wanted = np.full(len(counts), plans.balance(counts))
    else:
        wanted = plans.fill(counts, task.rare, arm.ratio)
    order = [np.flatnonzero(labels == c) for c in range(len(counts))]
    if arm.use == "agreed":
        agree = np.load(_beside(task.pool, "agree"), allow_pickle=False)
        order = [rows[agree[rows]] for rows in order]
    elif arm.use == "dense":
        density = np.load(_beside(task.pool, "density"), allow_pickle=False)
        order = [rows[np.argsort(-density[rows], kind="stable")] for rows in order]
    return np.concatenate([rows[:k] for rows, k in zip(order, wanted, strict=True)]).astype(np.int64)


def _beside(stem: Path, what: str) -> Path:
    return stem.with_name(f"{stem.name}-{what}.npy")


def _plain(images: np.ndarray, labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator, size: int) -> Batches:
    """Epochs over `rows`, a new order each."""
    left = np.empty(0, np.int64)

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        nonlocal left
        while len(left) < size:
            left = np.concatenate([left, rng.permutation(rows)])
        taken, left = left[:size], left[size:]
        return images[taken], labels[taken]

    return batch


def _balanced(data: ImageData, split: Split, rng: np.random.Generator, size: int) -> Batches:
    """Real training images, classes equally often."""
    return _by_class(data.images, data.labels, rng, size, split.train)


def _by_class(
    images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, size: int, rows: np.ndarray | None = None
) -> Batches:
    """Images with each class that occurs equally likely."""
    rows = np.arange(len(labels)) if rows is None else rows
    members = [rows[labels[rows] == c] for c in np.unique(labels[rows])]

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        taken = np.array([rng.choice(members[k]) for k in rng.integers(len(members), size=size)])
        return images[taken], labels[taken]

    return batch


def _seed(seed: int, use: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{use}".encode()).digest()[:7], "little")
