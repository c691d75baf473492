"""Fitted tensors in the cache folder, under a hash of what they were fitted to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from hqgan.io.files import write_atomically
from hqgan.metrics.extractors.extractor import RECIPE, hash_of

Tensors = dict[str, np.ndarray]


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
