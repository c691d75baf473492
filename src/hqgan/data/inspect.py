"""Describe a data set: classes, sizes, groups, unreadable files and its split, for ``hqgan data inspect``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.config.sections import ClassSelection
from hqgan.data.open import ALL_CLASSES, open_data
from hqgan.data.splits import SIDES, sides_to_draw, split_of
from hqgan.reporter import SILENT, Reporter
from hqgan.wording import listed, plural, table


@dataclass(frozen=True)
class ClassRow:
    """Counts of a class: its images, its groups, and its images on each side of the split."""

    name: str
    images: int
    groups: int
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Inspection:
    """What a data set holds; the fields are those of the JSON that ``hqgan data inspect --json`` writes.

    Attributes:
        layout: the layout that was recognised.
        path: of the data, as it was given.
        size: side of the cached images in pixels.
        seed: of the split.
        images: number of images that can be read.
        groups: number of lesions or patients.
        classes: a row for each class.
        original_size: ``min``, ``median`` and ``max`` of width and of height in pixels.
        skipped: (file, reason) of the images that are left out.
        parted_by_publisher: whether the split is the publisher's, or that of folders called train, val and test.
        drawn: sides that such folders lack, drawn from train.
        warning: what everyone who uses these data has to know; may be empty.
        licence: one line.
        fingerprint: hash of images and labels.
    """

    layout: str
    path: str
    size: int
    seed: int
    images: int
    groups: int
    classes: tuple[ClassRow, ...]
    original_size: dict[str, list[int]]
    skipped: tuple[tuple[str, str], ...]
    parted_by_publisher: bool
    drawn: tuple[str, ...]
    warning: str
    licence: str
    fingerprint: str


def inspect(
    path: str | Path,
    size: int = 64,
    seed: int = 0,
    *,
    choice: ClassSelection = ALL_CLASSES,
    cache: Path | None = None,
    reporter: Reporter = SILENT,
) -> Inspection:
    """Open a data set, split it as a run with this seed would, and describe both.

    Args:
        path: as for `open_data`.
        size: side of the cached images in pixels.
        seed: random seed of the split, and of procedural images.
        choice: as for `open_data`.
        cache: as for `open_data`.
        reporter: as for `open_data`.

    Raises:
        UserError: as `open_data`.
    """
    data = open_data(path, size, seed=seed, choice=choice, cache=cache, reporter=reporter)
    split = split_of(data, seed)
    classes = []
    for label, name in enumerate(data.classes):
        mine = data.labels == label
        counts = {side: int(mine[getattr(split, side)].sum()) for side in SIDES}
        classes.append(ClassRow(name, int(mine.sum()), len(np.unique(data.group_of[mine])), **counts))
    assert data.original is not None
    sizes = {"min": data.original.min(0), "median": np.median(data.original, 0), "max": data.original.max(0)}
    return Inspection(
        layout=data.name,
        path=str(path),
        size=size,
        seed=seed,
        images=len(data),
        groups=len(np.unique(data.group_of)),
        classes=tuple(classes),
        original_size={name: [int(side) for side in sides] for name, sides in sizes.items()},
        skipped=tuple(data.skipped),
        parted_by_publisher=data.sides is not None,
        drawn=sides_to_draw(data),
        warning=data.warning,
        licence=data.licence,
        fingerprint=data.fingerprint,
    )


def summary(report: Inspection) -> list[str]:
    """The result of `inspect` without its table of classes, one sentence per line."""
    low, middle, high = ("x".join(map(str, report.original_size[name])) for name in ("min", "median", "max"))
    split = f"split by group, seed {report.seed}"
    if report.parted_by_publisher:
        split = "the split of its folders" if report.layout == "folder" else "the publisher's split"
    if report.drawn:
        split += f", {listed(report.drawn)} drawn from train by group, seed {report.seed}"
    lines = [
        f"{report.path}: {report.layout}, {plural(report.images, 'image')} of {plural(report.groups, 'group')}; {split}",
        f"original size {low} to {high} pixels, median {middle}; used at {report.size}x{report.size}",
        f"licence: {report.licence}",
        f"fingerprint: {report.fingerprint[:16]}",
    ]
    lines += [f"warning: {report.warning}"] if report.warning else []
    for side in SIDES[:2]:
        if not any(getattr(row, side) for row in report.classes):
            lines.append(f"warning: there is no image on the side {side}, and training needs one")
    return lines + [f"left out: {file} ({reason})" for file, reason in report.skipped]


def class_table(report: Inspection) -> Any:
    """A rich table of the classes: images, groups, and images on each side of the split."""
    columns = ("images", "groups", *SIDES)
    result = table("class", *columns)
    for row in report.classes:
        result.add_row(row.name, *(f"{getattr(row, key):,}" for key in columns))
    result.add_section()
    result.add_row("all", *(f"{sum(getattr(row, key) for row in report.classes):,}" for key in columns))
    return result
