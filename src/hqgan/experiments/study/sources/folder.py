"""Generated images from a folder with one subfolder for each class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hqgan.errors import UserError
from hqgan.experiments.study.sources.pool import Pool, SourceInfo
from hqgan.sampling.image_folder import read_folder
from hqgan.types import ImageData
from hqgan.wording import listed


def from_folder(name: str, path: Path, sizes: np.ndarray, data: ImageData, rare: Sequence[int]) -> Pool:
    """The first images of each class in ``path/<class>/``. Nothing shows which real images their generator has seen.

    Args:
        name: of the source.
        path: the folder.
        sizes: (C,) most images by class.
        data: the data set.
        rare: classes that have to be there.

    Raises:
        UserError: there is no image of a class that the study fills.
    """
    (images, labels), _ = read_folder(path, data)
    if lacking := [data.classes[c] for c in rare if not (labels == c).any()]:
        raise UserError(
            f"{path} has no image of {listed(lacking)}, which this study fills; add some, or choose `fill`."
        )
    kept = np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(sizes)]).astype(np.int64)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return Pool(images[kept], labels[kept], SourceInfo(name, digest))
