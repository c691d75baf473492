"""`derm`, `early`, `middle` and `late`: stages of a small network that is trained on the training split itself."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.extractors import networks, projection
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.training_images import SEED, TrainingImages

STAGES = {"derm": (0, 1, 2, 3), "early": (0, 1), "middle": (2,), "late": (3,)}
"""Stages of the network by extractor: all of them; its first two; its third; its last."""


def fit(training: TrainingImages) -> dict[str, np.ndarray]:
    """Train the network, and fit the projection of each extractor; tensors by name."""
    classes = int(training.labels.max()) + 1
    network = networks.train_network(training.images, training.labels, classes, SEED, training.reporter)
    clean, corrupted = (networks.run(network, x) for x in (training.clean, training.corrupted))
    tensors = networks.weights_of(network, "derm.")
    for name, stages in STAGES.items():
        columns = networks.stage_columns(*stages)
        constants = projection.fit_projection(clean[:, columns], corrupted[:, columns])
        tensors |= {f"derm/{name}/{key}": value for key, value in constants.items()}
    return tensors


def build(tensors: dict[str, np.ndarray]) -> list[FeatureExtractor]:
    """The four extractors from what `fit` gave."""
    return [projection.build(name, "derm", stages, tensors) for name, stages in STAGES.items()]
