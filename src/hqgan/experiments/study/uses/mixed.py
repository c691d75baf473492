"""Generated images of the rare classes are added to the real ones, and all images are drawn with equal probability."""

from __future__ import annotations

import numpy as np

from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages, Use, in_epochs


def batches(real: TrainingImages, generated: TrainingImages, sampling: Sampling) -> Batches:
    """Epochs over all images together."""
    images = np.concatenate([real.images[real.rows], generated.images])
    labels = np.concatenate([real.labels[real.rows], generated.labels])
    return in_epochs(TrainingImages(images, labels, np.arange(len(labels))), sampling)


USE = Use(
    "generated images of the rare classes are added to the real ones; every image is drawn equally often",
    batches,
    by_ratio=True,
)
