"""Any folder with one sub-folder of images per class."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from hqgan.data.index import DatasetIndex, hidden, walk_images
from hqgan.errors import UserError
from hqgan.wording import listed

FOREIGN = {
    "imgs_part_": "PAD-UFES-20 without its metadata.csv, or with one that has no columns patient_id, diagnostic and img_id",
    "isic_2019_": "ISIC 2019 without its ISIC_2019_Training_GroundTruth.csv",
    "preprocessed_images": "ODIR-5k without its full_df.csv",
    "odir-5k": "ODIR-5k without its full_df.csv",
    "ham10000_images": "HAM10000 without its HAM10000_metadata.csv",
}
"""Beginnings of the names of folders that hold images of all classes, and the data set that each belongs to."""
# Names of folders that are already split, as is common with torchvision's ImageFolder.
SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}


def recognise(root: Path) -> DatasetIndex | None:
    """List a folder with one sub-folder per class, or None if no sub-folder holds an image.

    Raises:
        UserError: the folders are splits (train, test) or parts of a data set, not classes.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not hidden(p.name))
    images = {folder.name: walk_images(folder) for folder in folders}
    filled = [name for name in images if images[name]]
    if not filled:
        return None
    parts = {part.lower() for name in filled for part in (name, *PurePosixPath(images[name][0]).parts[:-1])}
    if foreign := [whose for name, whose in FOREIGN.items() if any(part.startswith(name) for part in parts)]:
        raise UserError(
            f"{root} looks like {foreign[0]}: put the publisher's table, comma-separated and in UTF-8, directly into it."
        )
    if SPLIT_NAMES & {name.lower() for name in filled}:
        raise UserError(
            f"{root} is split already (folders {listed(filled)}), and hqgan makes its own split by group: "
            "put all images into one folder per class, or name one of these folders."
        )
    files = [(name, f"{name}/{file}") for name in filled for file in images[name]]
    return DatasetIndex(
        name="folder",
        classes=tuple(filled),
        files=[file for _, file in files],
        labels=[name for name, _ in files],
        groups=[""] * len(files),
        licence="unknown",
        total=len(files),
        skipped=[(f"{name}/", "no image in this folder") for name in images if not images[name]],
    )
