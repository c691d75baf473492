"""The layouts of data sets on disk: one file for each, one row of the table `LAYOUTS` for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hqgan.data.index import DatasetIndex, hidden, is_image, unread, walk_files
from hqgan.data.layouts import (
    fitzpatrick17k,
    folder,
    ham10000,
    isic2018,
    isic2019,
    isic_archive,
    medmnist,
    odir,
    pad_ufes,
)
from hqgan.errors import UserError
from hqgan.wording import listed


class Layout(NamedTuple):
    """A row of the table.

    Attributes:
        title: what the data set is called.
        sign: the file by which it is recognised, for a sentence.
        recognise: takes the data's folder (and the label's column, where there are several) and lists what it holds; None
            where the folder has another layout.
        several_labels: whether its table has several columns of labels.
    """

    title: str
    sign: str
    recognise: Callable[..., DatasetIndex | None]
    several_labels: bool = False


LAYOUTS = (
    Layout("Fitzpatrick17k", fitzpatrick17k.TABLE, fitzpatrick17k.recognise, several_labels=True),
    Layout("ISIC 2019", isic2019.TRUTH, isic2019.recognise),
    Layout("ISIC 2018 Task 3", isic2018.TRUTH, isic2018.recognise),
    Layout("the ISIC archive", "isic-cli's metadata.csv", isic_archive.recognise, several_labels=True),
    Layout("ODIR-5k", odir.TABLE, odir.recognise),
    Layout("PAD-UFES-20", pad_ufes.TABLE, pad_ufes.recognise),
    Layout("HAM10000", ham10000.TABLE, ham10000.recognise),
    Layout("MedMNIST", "one .npz", medmnist.recognise),
    Layout("other images", "one folder per class", folder.recognise),
)
"""In the order in which they are tried: first those that have a file of their own name, then those that accept more."""


def recognise(root: Path, label: str = "") -> DatasetIndex:
    """List what the data set at `root` holds, by the first layout of `LAYOUTS` that recognises it.

    Args:
        root: a folder, or an archive of MedMNIST.
        label: column of the labels, where the table of the data set has several; empty takes its default.

    Raises:
        UserError: `root` is no folder, is empty, has no known layout, or has no choice of labels.
    """
    try:
        if not root.exists():
            raise UserError(f"There is no folder {root}: give a data set's folder, or demo for procedural images.")
        if not root.is_dir():
            if (archive := medmnist.recognise(root)) is not None:
                return archive
            raise UserError(f"{root} is a file, not a folder: give the folder that holds the data set.")
        found = sorted(p.name + "/" * p.is_dir() for p in root.iterdir() if not hidden(p.name))
        if not found:
            raise UserError(f"The folder {root} is empty: give the folder that holds the data set.")
        _, index = _first(root, label, LAYOUTS[:-1])
        if index is None and (advice := _wrapped(root, label)):
            raise UserError(advice)
        if index is None:
            _, index = _first(root, label, LAYOUTS[-1:])
        if index is not None:
            return index
        files = walk_files(root)
        others = "" if any(map(is_image, files)) else unread(files)
    except OSError as error:
        raise UserError(f"{root} cannot be read ({error.strerror or error}): check its permissions.") from error
    shown = listed(found[:4]) if len(found) <= 4 else f"{', '.join(found[:3])} and {len(found) - 3:,} more"
    known = listed([f"{title} ({sign})" for title, sign, *_ in LAYOUTS])
    none = (
        f" There is no image of a kind that is read in it, but {others}: save pictures as PNG or JPEG."
        if others
        else ""
    )
    raise UserError(f"The layout of {root} is not known: it holds {shown}; hqgan reads {known}.{none}")


def _first(root: Path, label: str, layouts: Sequence[Layout]) -> tuple[str, DatasetIndex | None]:
    """The title and index of the first layout that recognises a folder; None where none does."""
    for layout in layouts:
        index = layout.recognise(root, label) if layout.several_labels else layout.recognise(root)
        if index is not None and label and not layout.several_labels:
            titles = listed([layout.title for layout in LAYOUTS if layout.several_labels])
            raise UserError(f"{root} is not {titles}, the data sets with several labels; leave the label out.")
        if index is not None:
            return layout.title, index
    return "", None


def _wrapped(root: Path, label: str) -> str:
    """Which folder to give, where one and only one folder lies in another and the innermost is a data set; else empty."""
    for _ in range(4):
        inner = [p for p in root.iterdir() if p.is_dir() and not hidden(p.name)]
        if len(inner) != 1:
            return ""
        root = inner[0]
        try:
            title, index = _first(root, label, LAYOUTS)
        except UserError:
            continue
        if index is not None and len(index.classes) > 1:
            return f"The data set ({title}) is one folder further down: give {root} as `data`."
    return ""
