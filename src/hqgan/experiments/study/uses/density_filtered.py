"""As balanced-mix, with only the generated images in the regions where real training images of their class are densest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hqgan.evaluation.extractors import extractors_of
from hqgan.experiments.study.batches import Use
from hqgan.experiments.study.uses import balanced_mix
from hqgan.metrics.extractors.extractor import extract
from hqgan.metrics.prdc import depth
from hqgan.reporter import Reporter
from hqgan.types import LabelledImages

if TYPE_CHECKING:
    from hqgan.experiments.study.cells import Cell, Settings


def score(cell: Cell, settings: Settings, reporter: Reporter) -> Callable[[LabelledImages], np.ndarray]:
    """Score an image by the density of its class's real training images around it, in features of the extractor ``derm``."""
    data, train = cell.data, cell.split.train
    extractors = [one for one in extractors_of(data, cell.split, reporter) if one.name == "derm"]
    real, labels = extract(extractors, np.asarray(data.images[train]))["derm"], data.labels[train]

    def density(pool: LabelledImages) -> np.ndarray:
        features = extract(extractors, np.asarray(pool.images))["derm"]
        found = np.zeros(len(pool.labels))
        for c in np.unique(pool.labels):
            mine = pool.labels == c
            found[mine] = depth(real[labels == c], features[mine])
        return found

    return density


def keep(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """All images, those of the highest density first."""
    return rows[np.argsort(-scores[rows], kind="stable")]


USE = Use(
    "as balanced-mix, with only the generated images that lie where real images of their class lie densest",
    balanced_mix.batches,
    score=score,
    keep=keep,
)
