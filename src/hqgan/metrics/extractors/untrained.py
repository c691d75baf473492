"""`untrained`: the network of `derm` with random weights. It knows nothing of lesions and cannot know the training images."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.extractors import networks, projection
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.networks import TrainingImages

_SEED = 1618
_STAGES = {"untrained": (0, 1, 2, 3)}


def fit(training: TrainingImages) -> dict[str, np.ndarray]:
    """Draw the network, and fit its projection; tensors by name."""
    return projection.fit("untrained", networks.untrained_network(training.images, _SEED), _STAGES, training)


def build(tensors: dict[str, np.ndarray]) -> list[FeatureExtractor]:
    """The extractor from what `fit` gave."""
    return projection.build("untrained", _STAGES, tensors)
