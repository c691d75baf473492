"""The classifier is trained on generated images alone."""

from __future__ import annotations

from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages, Use, by_class


def batches(real: TrainingImages, generated: TrainingImages, sampling: Sampling) -> Batches:
    """Generated images, classes equally often; no real one."""
    return by_class(generated, sampling)


USE = Use("generated images of all classes, and no real one", batches, every_class=True)
