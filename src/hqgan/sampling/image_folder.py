"""Generated images of any origin from a folder by class: ``folder/<class>/*.png``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hqgan.data.decode import decode
from hqgan.data.index import DatasetIndex
from hqgan.data.layouts.folder import recognise
from hqgan.errors import UserError
from hqgan.types import ImageData, LabelledImages
from hqgan.wording import listed


def folder_size(folder: Path) -> int:
    """The side, 32 or 64 pixels, at which a folder's images are to be compared: enlarged ones would match no real one."""
    from PIL import Image

    listing = _listing(folder)
    try:
        with Image.open(folder / listing.files[0]) as image:
            return 32 if min(image.size) < 64 else 64
    except OSError as error:
        raise UserError(f"{folder / listing.files[0]} cannot be read ({error}); remove it and run again.") from error


def read_folder(folder: Path, data: ImageData) -> tuple[LabelledImages, list[str]]:
    """Images and file names of a class-per-folder tree, at the real data's size and in its class order.

    Raises:
        UserError: no such tree, a class that the data lack, or a file that cannot be read.
    """
    listing = _listing(folder)
    if unknown := sorted(set(listing.classes) - set(data.classes)):
        raise UserError(
            f"{folder} has classes that {data.name} lacks ({listed(unknown)}); it has {listed(data.classes)}."
        )
    images, labels = [], []
    for file, name in zip(listing.files, listing.labels, strict=True):
        decoded = decode(folder / file, data.images.shape[1])
        if decoded.pixels is None:
            raise UserError(f"{folder / file} cannot be read ({decoded.reason}); remove it and run again.")
        images.append(decoded.pixels)
        labels.append(data.classes.index(name))
    return LabelledImages(np.stack(images), np.array(labels, np.int64)), list(listing.files)


def _listing(folder: Path) -> DatasetIndex:
    listing = recognise(folder) if folder.is_dir() else None
    if listing is None:
        raise UserError(f"{folder} is neither a run nor a folder of images by class (folder/<class>/*.png).")
    return listing
