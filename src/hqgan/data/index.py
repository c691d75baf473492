"""What a data set's folder holds, its image files and tables, before any image is decoded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from hqgan.data.decode import ENDINGS, Decoded, Fit
from hqgan.wording import listed

SYSTEM = frozenset({
    "__macosx", "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "recycler", "recycled",
    "lost+found", "system volume information", "thumbs.db", "desktop.ini",
})  # fmt: skip
"""Names, in small letters, of what systems and network drives put beside images: thumbnails, bins, indices."""


@dataclass(frozen=True)
class DatasetIndex:
    """The images of a data set by name, as its own files describe them.

    Attributes:
        name: the recognised layout.
        classes: the class names that the layout allows, in order.
        files: image files relative to the root, with forward slashes; the data set's order.
        labels: the class name of each file.
        groups: the lesion or patient of each file; empty where it is not known.
        licence: the licence of the images, one line.
        total: how many images the data set claims, readable or not.
        skipped: (file, reason) of those already known to be unusable.
        sides: ``train``, ``validation`` or ``test`` for each file, where the publisher split the data; else empty.
        archive: the one file, relative to the root, that holds all images; empty where each file is an image.
        recipe: what decides every image, where images are computed and not read; else empty.
        read: takes some of `files` in order, a size and a fit, and gives their images; None where each file is an image.
        warning: what everyone who uses these data has to know; may be empty.
        unchecked: whether `sides` are folders of someone's own, so that one picture or group may be on two of them.
    """

    name: str
    classes: tuple[str, ...]
    files: Sequence[str]
    labels: Sequence[str]
    groups: Sequence[str]
    licence: str
    total: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)
    archive: str = ""
    recipe: tuple[object, ...] = ()
    read: Callable[[Sequence[str], int, Fit], Iterable[Decoded]] | None = None
    warning: str = ""
    unchecked: bool = False
    taken: dict[str, str] = field(default_factory=dict, repr=False)
    """Files that `add` has added, and their classes."""

    def add(self, file: str | None, image: str, label: str, group: str) -> None:
        """Add an image; call in the order of names. An image without a file, or one added before, is noted as skipped."""
        if file is None:
            self.skipped.append((image, "missing"))
        elif file in self.taken:
            other = "" if self.taken[file] == label else f", as {self.taken[file]} and as {label}"
            self.skipped.append((image, f"listed twice{other}"))
        else:
            self.taken[file] = label
            for column, value in ((self.files, file), (self.labels, label), (self.groups, group)):
                assert isinstance(column, list)
                column.append(value)


def hidden(name: str) -> bool:
    """Whether a file or folder does not belong to the data: dot files, and what systems and network drives add (`SYSTEM`)."""
    return name.startswith(".") or name.lower() in SYSTEM


def is_image(file: str) -> bool:
    """Whether a file's ending is one of an image that is read."""
    return os.path.splitext(file)[1].lower() in ENDINGS  # noqa: PTH122 - plain strings: 25,000 files should open at once


def unread(files: Iterable[str]) -> str:
    """How many of `files` are no images that are read, by ending, most first: "12 .heic and 1 .txt"; empty where all are."""
    endings = Counter(PurePosixPath(file).suffix.lower() or "without an ending" for file in files if not is_image(file))
    return listed([f"{count:,} {ending}" for ending, count in endings.most_common()]) if endings else ""


def walk_images(folder: Path) -> list[str]:
    """Paths of all image files below `folder`, relative to it, sorted; without hidden files, pipes and devices."""
    return [file for file in walk_files(folder) if is_image(file)]


def walk_files(folder: Path) -> list[str]:
    """Paths of all files below `folder`, relative to it, sorted; without hidden files, pipes and devices."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    # Plain strings instead of paths: a data set of 25,000 files should open at once.
    todo = [("", os.fspath(folder))]
    start = os.path.realpath(folder)
    while todo:
        prefix, place = todo.pop()
        # Links are followed, since people link big folders; but each folder once, since links can form a cycle.
        stat = os.stat(place)  # noqa: PTH116
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(place) as entries:
            for entry in entries:
                if hidden(entry.name):
                    continue
                if entry.is_dir():
                    # A link to a folder above would add the images beside this folder.
                    if entry.is_symlink() and f"{start}/".startswith(f"{os.path.realpath(entry.path)}/"):
                        continue
                    todo.append((f"{prefix}{entry.name}/", entry.path))
                elif entry.is_file():
                    found.append(prefix + entry.name)
    return sorted(found)


def images_by_stem(folder: Path, rather: str = "") -> dict[str, str]:
    """Image files below `folder` by their name without ending, in small letters, as tables name images.

    Of several files with one name the first is taken; a file in a folder called `rather` comes before all others.
    """
    found: dict[str, str] = {}
    for file in sorted(walk_images(folder), key=lambda file: rather not in PurePosixPath(file).parts):
        found.setdefault(PurePosixPath(file).stem.lower(), file)
    return found
