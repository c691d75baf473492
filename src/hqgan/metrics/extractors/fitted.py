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
from hqgan.metrics.extractors.networks import TrainingImages
from hqgan.reporter import SILENT, Reporter
from hqgan.types import ImageData


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
    data: ImageData, train: np.ndarray, cache: Path, reporter: Reporter = SILENT
) -> list[FeatureExtractor]:
    """All extractors for a training split: from the cache, or fitted now (on two cores 1 to 2 minutes for 4,200 images).

    Args:
        data: the whole data set; images of 32 pixels or more, a multiple of 4.
        train: indices of the training split; nothing else is used.
        cache: folder, made if need be; its key is the data's fingerprint, `train` and `extractor.RECIPE`.
        reporter: receives the progress of the training.

    Returns:
        The extractors in the order of `NAMES`.

    Raises:
        UserError: images of a size that the extractors do not take.
    """
    side = data.images.shape[1]
    if side < 32 or side % 4:
        raise UserError(f"Feature extractors take images of 32 pixels or more, a multiple of 4; these have {side}.")

    def complete(tensors: Tensors) -> Tensors:
        missing = [row for key, row in FITTED.items() if not any(k.startswith((f"{key}.", f"{key}/")) for k in tensors)]
        if not missing:
            return tensors
        reporter.message("training the feature extractors")
        training = TrainingImages(data.images[train], data.labels[train], reporter)
        return tensors | {key: value for row in missing for key, value in row.fit(training).items()}

    tensors = cached("views", data.fingerprint, train, cache, complete)
    return [extractor for row in FITTED.values() for extractor in row.build(tensors)]
