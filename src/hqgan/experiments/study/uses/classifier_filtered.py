"""As balanced-mix, with only the generated images whose class a classifier trained on real images recognises."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from hqgan.experiments.study import classifiers
from hqgan.experiments.study.batches import Sampling, TrainingImages, Use, by_class
from hqgan.experiments.study.training import probabilities, seed_of, standard_augmentation, train
from hqgan.experiments.study.uses import balanced_mix
from hqgan.reporter import Reporter
from hqgan.types import LabelledImages

if TYPE_CHECKING:
    from hqgan.experiments.study.cells import Cell, Settings


def score(cell: Cell, settings: Settings, reporter: Reporter) -> Callable[[LabelledImages], np.ndarray]:
    """Train a classifier on the seed's real training images; an image scores 1 if it is assigned to its class, else 0.

    It is the small classifier, trained as the arm ``oversampled`` is, with its own random seed.
    """
    reporter.message(f"training the classifier that filters generated images, {cell.name}")
    data = cell.data
    recipe = classifiers.recipe_of("small", settings.steps, None)
    torch.manual_seed(seed_of(cell.seed, "filter weights"))
    network = classifiers.build(recipe, len(data.classes), data.images.shape[1])
    sampling = Sampling(np.random.default_rng([cell.seed, 3]), recipe.batch, recipe.steps)
    shown = by_class(TrainingImages(data.images, data.labels, cell.split.train), sampling)
    train(network, recipe, shown, standard_augmentation, None, seed_of(cell.seed, "filter"))
    return lambda pool: (probabilities(network, pool.images).argmax(1) == pool.labels).astype(np.float64)


def keep(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The images that the classifier recognises, in the order of the pool."""
    return rows[scores[rows] == 1]


USE = Use(
    "as balanced-mix, with only the generated images whose class a classifier trained on real images recognises",
    balanced_mix.batches,
    score=score,
    keep=keep,
)
