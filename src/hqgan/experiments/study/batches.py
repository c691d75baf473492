"""Batches that a classifier is trained on, drawn from labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hqgan.types import LabelledImages

Batches = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""From the step, counted from 0, to uint8 images (B, S, S, 3) and labels (B,). Called once for each step, in order."""


@dataclass(frozen=True)
class TrainingImages(LabelledImages):
    """Images that a classifier may be trained on.

    Attributes:
        rows: rows of the images that may be drawn; of real ones, those of the training part.
    """

    rows: np.ndarray


@dataclass(frozen=True)
class Sampling:
    """How batches are drawn.

    Attributes:
        rng: source of all randomness.
        batch: images in a batch.
        steps: steps of the whole training.
    """

    rng: np.random.Generator
    batch: int
    steps: int


def in_epochs(shown: TrainingImages, sampling: Sampling) -> Batches:
    """Every image once in each epoch, in a new random order, so that a class is drawn in proportion to its size."""
    left = np.empty(0, np.int64)

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        nonlocal left
        while len(left) < sampling.batch:
            left = np.concatenate([left, sampling.rng.permutation(shown.rows)])
        taken, left = left[: sampling.batch], left[sampling.batch :]
        return shown.images[taken], shown.labels[taken]

    return batch


def by_class(shown: TrainingImages, sampling: Sampling) -> Batches:
    """Each class that occurs equally likely, and within it each image."""
    own = shown.labels[shown.rows]
    members = [shown.rows[own == c] for c in np.unique(own)]
    rng = sampling.rng

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        taken = np.array([rng.choice(members[k]) for k in rng.integers(len(members), size=sampling.batch)])
        return shown.images[taken], shown.labels[taken]

    return batch
