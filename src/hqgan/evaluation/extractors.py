"""Feature extractors and evaluators for a data set and its split."""

from __future__ import annotations

import numpy as np

from hqgan.data.cache import cache_folder
from hqgan.evaluation.real_images import MOST_HELD_OUT, draw, evaluation_subset
from hqgan.metrics.evaluator import Evaluator
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.fitted import load_extractors
from hqgan.reporter import Reporter
from hqgan.types import ImageData, Split


def extractors_of(data: ImageData, split: Split, reporter: Reporter) -> list[FeatureExtractor]:
    """The feature extractors for a data set's training part, trained now or from the cache."""
    return load_extractors(
        data.images,
        data.labels,
        evaluation_subset(split).train,
        fingerprint=data.fingerprint,
        cache=cache_folder(None),
        reporter=reporter,
    )


def build_evaluator(data: ImageData, split: Split, real: np.ndarray, seed: int, reporter: Reporter) -> Evaluator:
    """An evaluator on held-out images.

    Args:
        data: the data set.
        split: its split.
        real: (N,) which images: of the validation side in training, of the test side for results; at most
            `MOST_HELD_OUT` of them.
        seed: of the evaluator's draws.
        reporter: receives messages and progress.
    """
    real, train = draw(real, MOST_HELD_OUT), evaluation_subset(split).train
    return Evaluator(extractors_of(data, split, reporter), data.at(real), data.at(train), data.classes, seed=seed)
