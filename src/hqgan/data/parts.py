"""Folders that hold the parts of a data set, such as images beside masks or training beside test images: they are not classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hqgan.errors import UserError
from hqgan.wording import listed

INCOMPLETE = {
    "imgs_part_": "PAD-UFES-20 without its metadata.csv, or with one that has no columns patient_id, diagnostic and img_id",
    "isic_2019_": "ISIC 2019 without its ISIC_2019_Training_GroundTruth.csv",
    "isic2018_task3_": "ISIC 2018 Task 3 without its ISIC2018_Task3_Training_GroundTruth.csv",
    "preprocessed_images": "ODIR-5k without its full_df.csv",
    "odir-5k": "ODIR-5k without its full_df.csv",
    "ham10000_images": "HAM10000 without its HAM10000_metadata.csv",
}
"""Beginnings of the names of folders that hold images of all classes, and the data set that each belongs to."""

UNREAD = {
    r"isbi2016|isic[-_ ]?2016": "ISIC 2016",
    r"isic[-_ ]?2017": "ISIC 2017",
    r"isic2018_task1": "ISIC 2018 Task 1 and 2, whose images have masks and no classes",
    r"isic[-_ ]?2020|siim": "ISIC 2020",
    r"isic[-_ ]?2024": "ISIC 2024",
    r"ddi_metadata|ddidiversedermatologyimages": "DDI",
}
"""Beginnings of the names of files and folders of data sets whose layout is not read."""

PART = frozenset({
    "train", "training", "val", "valid", "validation", "test", "testing", "image", "images", "img", "imgs", "input", "mask",
    "masks", "segmentation", "segmentations", "groundtruth", "annotation", "annotations", "superpixel", "superpixels", "jpeg",
    "jpg", "png", "part",
})  # fmt: skip
"""Words in the names of folders that hold a part of a data set and no class."""


def refuse_published(root: Path, names: Sequence[str]) -> None:
    """Refuse a published data set whose layout is not read, by its name.

    Args:
        root: the data's folder.
        names: of the files and folders in it.

    Raises:
        UserError: it is one of `UNREAD`.
    """
    for beginning, title in UNREAD.items():
        if own := [name for name in names if re.match(beginning, name.lower())]:
            raise UserError(
                f"{root} looks like {title} ({own[0]}), whose layout hqgan does not read: its folders are parts of a data set, "
                "not classes. Give a table with a row for each image by `table`, with `image_column` and `label_column`."
            )


def refuse_parts(root: Path, names: Sequence[str], inner: Sequence[str] = ()) -> None:
    """Refuse folders that hold parts of a data set in place of classes.

    Args:
        root: the data's folder.
        names: of the folders in it that hold images.
        inner: of folders within these.

    Raises:
        UserError: they do.
    """
    every = [name.lower() for name in (*names, *inner)]
    if incomplete := [whose for name, whose in INCOMPLETE.items() if any(own.startswith(name) for own in every)]:
        raise UserError(f"{root} looks like {incomplete[0]}: put the publisher's table directly into it.")
    if parts := [name for name in names if PART & set(_words(name))]:
        what = (
            f"The folder {parts[0]} in {root} looks like a part"
            if len(parts) == 1
            else (f"The folders {listed(parts[:5])} in {root} look like parts")
        )
        raise UserError(
            f"{what} of a data set, not classes: put all images into one folder per class, or give a table with a row for each "
            "image by `table`."
        )


def _words(name: str) -> list[str]:
    """``ISIC-2017_TrainingData_1`` to isic, training, data."""
    whole = re.sub(r"(?i)ground[-_ ]?truth", " groundtruth ", name)
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", whole).lower())
