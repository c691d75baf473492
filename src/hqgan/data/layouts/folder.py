"""Any folder with one sub-folder of images per class."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from hqgan.data.index import DatasetIndex, hidden, is_image, unread, walk_files
from hqgan.data.parts import refuse_parts, refuse_published
from hqgan.wording import plural

SIDES = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
         "test": "test", "testing": "test"}  # fmt: skip
"""Folders of images that are split already, as torchvision's ImageFolder reads them, and our names of the sides."""


def recognise(root: Path) -> DatasetIndex | None:
    """List a folder with one sub-folder per class, or None if no sub-folder holds an image.

    Folders called train, val and test that hold such sub-folders are the split.

    Raises:
        UserError: the folders are parts of a data set, not classes, or their images are of kinds that are not read.
    """
    entries = sorted(p for p in root.iterdir() if not hidden(p.name))
    refuse_published(root, [p.name for p in entries])
    every = {folder.name: walk_files(folder) for folder in entries if folder.is_dir()}
    images = {name: [file for file in files if is_image(file)] for name, files in every.items()}
    filled = [name for name in images if images[name]]
    if not filled:
        return None
    if split := _split(root, images):
        return split
    refuse_parts(root, filled, [part for name in filled for part in PurePosixPath(images[name][0]).parts[:-1]])
    files = [(name, f"{name}/{file}") for name in filled for file in images[name]]
    index = DatasetIndex(
        name="folder",
        classes=tuple(filled),
        files=[file for _, file in files],
        labels=[name for name, _ in files],
        groups=[""] * len(files),
        licence="unknown",
        total=len(files),
    )
    for name, found in every.items():
        if others := unread(found):
            index.skipped.append(
                (f"{name}/", f"{others} are of kinds that hqgan does not read; save pictures as PNG or JPEG")
            )
        elif not found:
            index.skipped.append((f"{name}/", "no image in this folder"))
    if loose := [p for p in entries if is_image(p.name) and p.is_file()]:
        index.skipped.append((f"{root.name}/", f"{plural(len(loose), 'image')} beside the folders of the classes"))
    return index


def _split(root: Path, images: dict[str, list[str]]) -> DatasetIndex | None:
    """The index of folders called train, val and test with sub-folders of classes, or None where they are not.

    Args:
        root: the data's folder.
        images: of each folder in it, the images below it.
    """
    sides = {name: SIDES.get(name.lower()) for name in images}
    rows = [
        (file.partition("/")[0], f"{name}/{file}", side)
        for name, side in sorted(sides.items(), key=lambda item: ("train", "validation", "test", None).index(item[1]))
        for file in images[name]
        if side and "/" in file
    ]
    found = {side for *_, side in rows}
    if "train" not in found or len(found) < 2 or any(images[name] and not side for name, side in sides.items()):
        return None
    refuse_parts(root, sorted({label for label, *_ in rows}))
    return DatasetIndex(
        name="folder",
        classes=tuple(sorted({label for label, *_ in rows})),
        files=[file for _, file, _ in rows],
        labels=[label for label, *_ in rows],
        groups=[""] * len(rows),
        licence="unknown",
        total=len(rows),
        skipped=[
            (f"{name}/", f"{plural(count, 'image')} in no folder of a class")
            for name in images
            if (count := sum("/" not in file for file in images[name]))
        ],
        sides=[side for *_, side in rows],
        unchecked=True,
    )
