"""`derm`, `early`, `middle` and `late`: stages of a small network that is trained on the training split itself."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.extractors import networks, projection
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.networks import TrainingImages

STAGES = {"derm": (0, 1, 2, 3), "early": (0, 1), "middle": (2,), "late": (3,)}
"""Stages of the network by extractor: all of them; its first two; its third; its last."""


def fit(training: TrainingImages) -> dict[str, np.ndarray]:
    """Train the network, and fit the projection of each extractor; tensors by name."""
    return projection.fit("derm", networks.train_network(training), STAGES, training)


def build(tensors: dict[str, np.ndarray]) -> list[FeatureExtractor]:
    """The four extractors from what `fit` gave."""
    return projection.build("derm", STAGES, tensors)
