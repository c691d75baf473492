"""Where generated images come from: a trained run, a folder, or a simple model that the study fits itself.

To add such a model, write its file with a function of the form `Fit` and add its row to `FITTED`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hqgan.experiments.study.sources import pca_gaussian
from hqgan.experiments.study.sources.pool import Pool
from hqgan.types import ImageData, Split

Fit = Callable[[str, np.ndarray, ImageData, Split, int], Pool]
"""From the source's name, the images (C,) to make by class, the data, the split and the seed to a pool. It may use the training
part of the split only."""

GAUSSIAN = "pca-gaussian"

FITTED: dict[str, Fit] = {GAUSSIAN: pca_gaussian.fit}
"""Sources that are fitted to the training part in seconds, by name."""
