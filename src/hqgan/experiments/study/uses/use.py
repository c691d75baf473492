"""What a use of generated images is: how they are chosen from a pool, and how they are mixed with real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages
from hqgan.reporter import Reporter

if TYPE_CHECKING:
    from hqgan.experiments.study.cells import Cell, Settings
    from hqgan.experiments.study.sources.pool import Pool


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
    score: Callable[[Cell, Settings, Reporter], Callable[[Pool], np.ndarray]] | None = None
    keep: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
