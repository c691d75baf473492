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

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqgan.errors import UserError
from hqgan.io.files import write_atomically
from hqgan.metrics.extractors import derm, laplacian, untrained
from hqgan.metrics.extractors.extractor import RECIPE, FeatureExtractor, Tensors, hash_of
from hqgan.metrics.extractors.networks import TrainingImages
from hqgan.reporter import SILENT, Reporter
from hqgan.types import ImageData


@dataclass(frozen=True)
class Fitted:
    """A row of `FITTED`: extractors that are fitted together.

    Attributes:
        fit: from the training images to tensors, whose names begin with the row's key and a dot or a slash.
        build: from tensors, those of other rows among them, to the extractors.
    """

    fit: Callable[[TrainingImages], Tensors]
    build: Callable[[Tensors], list[FeatureExtractor]]


FITTED = {
    "derm": Fitted(derm.fit, derm.build),
    "untrained": Fitted(untrained.fit, untrained.build),
    "laplacian": Fitted(laplacian.fit, laplacian.build),
}


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
        The extractors in the order of `FITTED`.

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


def cached(
    name: str, fingerprint: str, train: np.ndarray, cache: Path, complete: Callable[[Tensors], Tensors]
) -> Tensors:
    """Tensors by name from ``cache/name-key.safetensors``, completed where something is missing, and then written whole.

    Args:
        name: of the file.
        fingerprint: of the data set.
        train: indices of the training split; with the fingerprint, the name and `RECIPE` the key.
        cache: folder, made if need be.
        complete: from the tensors that are there, none for a new or a damaged file, to all of them; the same object where
            nothing was missing.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save

    recipe = {
        "name": name,
        "recipe": RECIPE,
        "fingerprint": fingerprint,
        "train": hashlib.sha256(np.asarray(train, np.int64).tobytes()).hexdigest(),
    }
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    path = cache / f"{name}-{key}.safetensors"
    found: Tensors = {}
    if path.exists():
        with suppress(SafetensorError, OSError):  # cut short or damaged: it is made again
            found = load_file(path)
    completed = complete(found)
    if completed is found:
        return found
    tensors = {k: np.ascontiguousarray(v) for k, v in completed.items()}
    cache.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors))
    path.with_suffix(".json").write_text(json.dumps({**recipe, "hash": hash_of(tensors)}, indent=2) + "\n")
    return tensors
