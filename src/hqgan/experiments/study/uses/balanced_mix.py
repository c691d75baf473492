"""Classes are drawn equally often, and a fixed share of a rare class's draws are generated images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages, Use, by_class

SHARE = 0.25
"""Share of the draws of a rare class that are generated images."""


def replace_some(
    real: TrainingImages, generated: TrainingImages, sampling: Sampling, share: Callable[[int], float]
) -> Batches:
    """Real images with classes equally often, some of which are replaced by generated images of the same class.

    Args:
        real: the training part.
        generated: of the classes that are replaced.
        sampling: how batches are drawn.
        share: probability, by step, that an image of such a class is replaced.
    """
    balanced, rng = by_class(real, sampling), sampling.rng
    filled = np.unique(generated.labels)

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        pixels, labels = balanced(step)
        pixels = pixels.copy()
        for i in np.flatnonzero(np.isin(labels, filled) & (rng.random(len(labels)) < share(step))):
            pixels[i] = generated.images[rng.choice(np.flatnonzero(generated.labels == labels[i]))]
        return pixels, labels

    return batch


def batches(real: TrainingImages, generated: TrainingImages, sampling: Sampling) -> Batches:
    """Classes equally often; `SHARE` of a rare class's draws are generated images."""
    return replace_some(real, generated, sampling, lambda step: SHARE)


USE = Use("classes are drawn equally often; a quarter of the draws of a rare class are generated images", batches)
