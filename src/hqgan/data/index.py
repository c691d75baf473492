"""What a data set's folder holds, its image files and tables, before any image is decoded."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from hqgan.data.decode import Decoded, Fit
from hqgan.errors import UserError
from hqgan.wording import listed

IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


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
    """Whether a file or folder does not belong to the data: dot files, and what macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


def walk_images(folder: Path) -> list[str]:
    """Paths of all image files below `folder`, relative to it, sorted; without hidden files, pipes and devices."""
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
                elif os.path.splitext(entry.name)[1].lower() in IMAGE_ENDINGS and entry.is_file():  # noqa: PTH122
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


def table_columns(path: Path) -> set[str]:
    """The names of a CSV file's columns; empty if it is not a CSV file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return {name.strip() for name in next(csv.reader(file), [])}
    except (UnicodeDecodeError, csv.Error):
        return set()


def without_spaces(row: Mapping[Any, Any]) -> dict[str, str]:
    """A row as `csv.DictReader` gives it, without spaces around names and values; values that are no text are left out."""
    return {(name or "").strip(): value.strip() for name, value in row.items() if isinstance(value, str)}


def table_rows(path: Path, wanted: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, without spaces around names and values.

    Args:
        path: the file, whose first line has the names of the columns.
        wanted: columns that it must have.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if lacking := sorted(set(wanted) - {name.strip() for name in reader.fieldnames or ()}):
                raise UserError(f"{path} lacks the columns {listed(lacking)}; download it again.")
            found = []
            for row in reader:
                clean = without_spaces(row)
                if not clean.keys() >= set(wanted):
                    raise UserError(f"{path} is cut short in line {reader.line_num}; download it again.")
                found.append(clean)
            return found
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a readable table ({error}); download it again.") from error
