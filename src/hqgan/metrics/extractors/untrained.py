"""`untrained`: the network of `derm` with random weights. It knows nothing of lesions and cannot know the training images."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.extractors import networks, projection
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.training_images import TrainingImages

_SEED = 1618
_STAGES = (0, 1, 2, 3)


def fit(training: TrainingImages) -> dict[str, np.ndarray]:
    """Draw the network, and fit its projection; tensors by name."""
    network = networks.untrained_network(training.images, _SEED)
    columns = networks.stage_columns(*_STAGES)
    clean, corrupted = (networks.run(network, x)[:, columns] for x in (training.clean, training.corrupted))
    constants = projection.fit_projection(clean, corrupted)
    named = {f"untrained/untrained/{key}": value for key, value in constants.items()}
    return networks.weights_of(network, "untrained.") | named


def build(tensors: dict[str, np.ndarray]) -> list[FeatureExtractor]:
    """The extractor from what `fit` gave."""
    return [projection.build("untrained", "untrained", _STAGES, tensors)]
