"""Real training images and generated ones as one set, as a classifier is trained on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from hqgan.errors import UserError
from hqgan.sampling.images import check_held, images_of, numbered
from hqgan.sampling.load import Loaded
from hqgan.types import ImageData
from hqgan.wording import listed


def lacking(labels: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """How many images each class lacks to be as large as the largest one.

    Args:
        labels: (N,) int64, of the real images.
        classes: names; a label is an index into them.
    """
    counts = np.bincount(labels, minlength=len(classes))
    return {name: int(counts.max() - n) for name, n in zip(classes, counts, strict=True) if n < counts.max()}


def check_same_classes(loaded: Loaded, data: ImageData) -> None:
    """Refuse a generator whose classes are not the data's.

    Raises:
        UserError: they differ.
    """
    if loaded.classes != data.classes:
        raise UserError(
            f"The generator makes {listed(loaded.classes)}, and {data.name} has {listed(data.classes)}: open the data as the "
            "generator's were, with the same classes and merges."
        )


class AugmentedImages(Dataset[Any]):
    """A torch data set of real images, and after them generated ones.

    An item is (image, label), as torchvision's ImageFolder gives it. Generated images are made once, when the set is made, and
    are those that `hqgan generate` makes with the same seed.

    Args:
        data: the real images.
        rows: which of them, usually the training part of a split.
        loaded: a trained generator of the same classes.
        counts: generated images by class name; None fills every class up to the largest.
        seed: of the generated images.
        transform: from a PIL image to what an item holds; None for a float32 tensor (3, S, S) in [0, 1].

    Attributes:
        labels: (N,) int64 of all images, real ones first.
        generated: (N,) bool, true for generated ones.
        classes: names; a label is an index into them.

    Raises:
        UserError: the generator's classes or size are not the data's, `counts` names another class, or `rows` is a mask.
    """

    def __init__(
        self,
        data: ImageData,
        rows: np.ndarray,
        loaded: Loaded,
        counts: Mapping[str, int] | None = None,
        *,
        seed: int = 0,
        transform: Callable[[Image.Image], Any] | None = None,
    ) -> None:
        check_same_classes(loaded, data)
        rows = np.asarray(rows)
        if rows.dtype == bool:
            raise UserError("Rows are numbers of images, not yes and no for each: give np.flatnonzero(rows).")
        if data.images.shape[1] != loaded.config.data.size:
            raise UserError(
                f"The generator's images are {loaded.config.data.size} pixels wide, these {data.images.shape[1]}: open the data "
                "at the generator's size."
            )
        if rows.ndim != 1 or (
            len(rows) and (rows.dtype.kind not in "iu" or not 0 <= rows.min() <= rows.max() < len(data))
        ):
            raise UserError(f"Rows are whole numbers from 0 to {len(data) - 1}, as a split has them.")
        self._real, self._rows = data.images, rows.astype(np.int64)
        counts = lacking(data.labels[self._rows], data.classes) if counts is None else counts
        if odd := [name for name in counts if name not in data.classes]:
            raise UserError(f"There is no class {odd[0]!r}; classes are {listed(data.classes)}.")
        if any(not isinstance(n, int | np.integer) or n < 0 for n in counts.values()):
            raise UserError(f"Images are counted in whole numbers, not {dict(counts)!r}.")
        self.classes = data.classes
        self.transform = transform
        check_held(loaded, counts)
        labels, images = images_of(loaded, numbered(data.classes, counts, seed))
        self._made = np.array(list(images), np.uint8).reshape(-1, *data.images.shape[1:])
        self.labels = np.concatenate([data.labels[self._rows], labels])
        self.generated = np.arange(len(self.labels)) >= len(self._rows)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        index, real = range(len(self))[index], len(self._rows)  # from the end where negative, or an IndexError
        pixels = self._real[self._rows[index]] if index < real else self._made[index - real]
        if self.transform is not None:
            return self.transform(Image.fromarray(pixels)), int(self.labels[index])
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div(255), int(self.labels[index])
