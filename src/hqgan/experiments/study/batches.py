"""Batches that a classifier is trained on, drawn from labelled images; and what a use of generated images is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hqgan.reporter import Reporter
from hqgan.types import LabelledImages

if TYPE_CHECKING:
    from hqgan.experiments.study.cells import Cell, Settings

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


@dataclass(frozen=True)
class Use:
    """One way to train a classifier with generated images. Images are augmented in the standard way in all of them.

    Attributes:
        text: one line on what the classifier is shown, for reports.
        batches: from the real training images, the chosen generated ones and the sampling to batches.
        every_class: True for generated images of every class, up to the mean class size; False for the rare classes alone.
        by_ratio: whether there is one arm for each of the study's ratios; other uses have one arm, at ratio 1.
        score: prepares, for a seed, a function that gives each generated image of a pool a score (N,); it may use training
            images only. None for a use without a filter.
        keep: from the rows of one class in the pool and the scores (N,) of the whole pool to the rows that are used, the best
            first.
    """

    text: str
    batches: Callable[[TrainingImages, TrainingImages, Sampling], Batches]
    every_class: bool = False
    by_ratio: bool = False
    score: Callable[[Cell, Settings, Reporter], Callable[[LabelledImages], np.ndarray]] | None = None
    keep: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
