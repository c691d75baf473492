"""The feature extractors that are fitted to a training split, a row each. Several, never one: where they disagree, no single
one decides. A new one is a file with `fit` and `build`, and a row of `FITTED`.

====================  ==================================================================================================
``derm``              every stage of a small network that the project trains on the training split itself
``early`` ``middle``  its first two stages; its third; its last
``late``
``untrained``         the same network with random weights
``laplacian``         no network: patches of a Laplacian pyramid along fixed directions
====================  ==================================================================================================

Everything is fitted on the training split, kept as safetensors under a cache folder, and named by a hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqgan.errors import UserError
from hqgan.metrics.extractors import derm, laplacian, untrained
from hqgan.metrics.extractors.cache import Tensors, cached
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.training_images import TrainingImages
from hqgan.reporter import SILENT, Reporter


@dataclass(frozen=True)
class Fitted:
    """A row of `FITTED`: extractors that are fitted together.

    Attributes:
        names: of the extractors.
        fit: from the training images to tensors, whose names begin with the row's key and a dot or a slash.
        build: from tensors, those of other rows among them, to the extractors.
    """

    names: tuple[str, ...]
    fit: Callable[[TrainingImages], Tensors]
    build: Callable[[Tensors], list[FeatureExtractor]]


FITTED = {
    "derm": Fitted(tuple(derm.STAGES), derm.fit, derm.build),
    "untrained": Fitted(("untrained",), untrained.fit, untrained.build),
    "laplacian": Fitted(("laplacian",), laplacian.fit, laplacian.build),
}
NAMES = tuple(name for row in FITTED.values() for name in row.names)


def load_extractors(
    images: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    *,
    fingerprint: str,
    cache: Path,
    reporter: Reporter = SILENT,
) -> list[FeatureExtractor]:
    """All extractors for a training split: from the cache, or fitted now (on two cores 1 to 2 minutes for 4,200 images).

    Args:
        images: (N, S, S, 3) uint8, the whole data set, S a multiple of 4, at least 32.
        labels: (N,) class indices.
        train: indices of the training split; nothing else is used.
        fingerprint: of the data set; with `train` and `extractor.RECIPE` the cache's key.
        cache: folder, made if need be.
        reporter: receives the progress of the training.

    Returns:
        The extractors in the order of `NAMES`.

    Raises:
        UserError: images of a size that the extractors do not take.
    """
    side = images.shape[1]
    if side < 32 or side % 4:
        raise UserError(f"Feature extractors take images of 32 pixels or more, a multiple of 4; these have {side}.")

    def complete(tensors: Tensors) -> Tensors:
        missing = [row for key, row in FITTED.items() if not any(k.startswith((f"{key}.", f"{key}/")) for k in tensors)]
        if not missing:
            return tensors
        reporter.message("training the feature extractors")
        training = TrainingImages(np.asarray(images[train]), np.asarray(labels)[train], reporter)
        return tensors | {key: value for row in missing for key, value in row.fit(training).items()}

    tensors = cached("views", fingerprint, train, cache, complete)
    return [extractor for row in FITTED.values() for extractor in row.build(tensors)]
