"""Any tree with one folder a class."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.listing import Listing, hidden, walk_images
from hqgan.types import UserError, listed

# A tree that is already split, as torchvision's ImageFolder is often used.
SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}


def recognise(root: Path) -> Listing | None:
    """List the class-per-folder tree under `root`, or None where no folder in it holds an image.

    Raises:
        UserError: the folders are splits (train, test), not classes.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not hidden(p.name))
    images = {folder.name: walk_images(folder) for folder in folders}
    filled = [name for name in images if images[name]]
    if not filled:
        return None
    if {name.lower() for name in filled} <= SPLIT_NAMES:
        raise UserError(
            f"{root} is split already (folders {listed(filled)}), and hqgan makes its own split by group: "
            "put all images into one folder per class, or name one of these folders."
        )
    files = [(name, f"{name}/{file}") for name in filled for file in images[name]]
    return Listing(
        name="folder",
        classes=tuple(filled),
        files=[file for _, file in files],
        labels=[name for name, _ in files],
        groups=[""] * len(files),
        licence="unknown",
        total=len(files),
        skipped=[(f"{name}/", "no image in this folder") for name in images if not images[name]],
    )
