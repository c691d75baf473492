"""Opening a data set: recognise its layout, choose classes, decode the images once into the cache, return a memory map.

The steps are those of `open_data`, in order; each is a module of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hqgan.config.sections import ClassSelection, DataConfig
from hqgan.data import cache as image_cache
from hqgan.data import cache_parts
from hqgan.data.decode import RULES, Decoded, Fit, decode_all
from hqgan.data.groups import check_sides, groups_of, in_two_classes
from hqgan.data.index import DatasetIndex
from hqgan.data.labelled import from_table, with_groups
from hqgan.data.layouts import recognise
from hqgan.data.select import choose
from hqgan.data.synthetic import demo
from hqgan.errors import UserError
from hqgan.io.files import same_in_other_letters, unfit_class
from hqgan.reporter import SILENT, Reporter
from hqgan.types import ImageData
from hqgan.wording import listed, plural

MAX_UNREADABLE = 0.05
"""Share of a data set's images that may be missing or damaged; with more, opening is refused."""

ALL_CLASSES = ClassSelection()
"""Every image, in the publisher's classes."""


def open_data(
    path: str | Path,
    size: int = 64,
    *,
    seed: int = 0,
    choice: ClassSelection = ALL_CLASSES,
    fit: Fit = "crop",
    cache: Path | None = None,
    reporter: Reporter = SILENT,
    expected: Callable[[DatasetIndex], None] | None = None,
) -> ImageData:
    """Open a data set as square uint8 images in a read-only memory map.

    The first time, images are decoded, cropped to their centre square and resized antialiased; the result is cached by
    content, and opening again takes a fraction of a second. The source is never written to.

    Args:
        path: ``demo`` or ``demo:2000`` for so many procedural images (1,400 by default); otherwise a folder or archive in
            one of the layouts of `hqgan.data.layouts`. ``./demo`` is a folder of that name.
        size: side of the images in pixels, 8 to 1024.
        seed: for procedural images, and for the images that a protocol draws; other data do not depend on it.
        choice: which classes and images to take.
        fit: how an image becomes a square: ``crop`` takes its centre, ``squeeze`` resizes all of it, whatever its shape.
        cache: folder for decoded images; None takes ``$HQGAN_CACHE``, else the user's cache folder.
        reporter: receives how many files are read to see whether they are known, as task ``reading``, how many images are
            decoded, as task ``decoding``, and in how many near-duplicates are looked for, as task ``comparing``.
        expected: refuses what is not there as expected, before any image is decoded.

    Raises:
        UserError: there are no usable images, more than 5 % of them are unreadable, or the cache cannot be written.
    """
    if not 8 <= size <= 1024:
        raise UserError(f"An image size of {size} pixels is outside 8 to 1024.")
    if not str(path).strip():
        raise UserError("The path of the data is empty: give a data set's folder, or demo for procedural images.")
    place = image_cache.cache_folder(cache)
    # What is there, by the layout that recognises the folder; then the classes and images that are chosen.
    root, whole = _index(path, choice, seed)
    index = choose(whole, choice, seed)
    if expected is not None:
        expected(index)
    if not index.recipe:
        _classes(index.classes, index.labels, str(path))  # before decoding
    part = len(index.files) if index.archive else cache_parts.PART  # an archive can only be read from its start

    def check(skipped: list[tuple[int, str]]) -> None:
        found = [(index.files[row], reason) for row, reason in skipped]
        _refuse_unreadable(root, [*index.skipped, *found], index.total)

    def make(start: int, stop: int) -> Iterable[Decoded]:
        files = index.files[start:stop]
        return index.read(files, size, fit) if index.read else decode_all([root / file for file in files], size, fit)

    # Decode what is not in the cache; then put images, classes and groups together.
    contents = (
        []
        if index.recipe
        else image_cache.hash_files(root, [index.archive] if index.archive else index.files, place, reporter)
    )
    key = _key(index, contents, index.files is whole.files, size, fit)
    entry = image_cache.load(place, key, size)
    if entry is None:
        entry = cache_parts.make_entry(place, key, size, index.files, make, part=part, check=check, reporter=reporter)
    found = "" if index.recipe or index.archive else in_two_classes(index.files, index.labels, contents)
    return _assemble(replace(index, warning=f"{index.warning} {found}".strip()), entry, size, str(path), reporter)


def open_configured(
    config: DataConfig, reporter: Reporter = SILENT, expected: Callable[[DatasetIndex], None] | None = None
) -> ImageData:
    """`open_data` with the settings of a run's config."""
    return open_data(
        config.path,
        config.size,
        seed=config.seed,
        choice=config.choice,
        fit=config.fit,
        reporter=reporter,
        expected=expected,
    )


def class_names(path: str | Path, choice: ClassSelection = ALL_CLASSES) -> tuple[str, ...]:
    """The classes that a data set has before any are chosen or merged; no image is opened.

    Args:
        path: as for `open_data`.
        choice: its table and columns.

    Raises:
        UserError: as `open_data`.
    """
    return tuple(_index(path, choice, 0)[1].classes)


def _index(path: str | Path, choice: ClassSelection, seed: int) -> tuple[Path, DatasetIndex]:
    """The folder of the images, and all that is listed there; of procedural images, their names."""
    count = demo.count_of(str(path))
    if count is not None:
        if choice.table:
            raise UserError(
                "The procedural images have classes of their own: give the folder of the table's images as `data`."
            )
        return Path(), with_groups(demo.index(count, seed), choice.groups, Path())
    root = Path(path).expanduser()
    index = from_table(root, choice) if choice.table else recognise(root, choice.label)
    index = with_groups(index, choice.groups, root)
    _refuse_unreadable(root, index.skipped, index.total)
    return root if root.is_dir() else root.parent, index


def _key(index: DatasetIndex, contents: list[str], whole: bool, size: int, fit: Fit) -> str:
    """The cache's key: a hash of everything that decides the pixels."""
    if index.recipe:
        # All names follow from the recipe; a million of them need not be written down to be hashed.
        return image_cache.key_of(*index.recipe, size, [] if whole else list(index.files))
    named = [index.name, contents, index.files] if index.archive else [list(zip(index.files, contents, strict=True))]
    return image_cache.key_of(RULES[fit], size, *named)


def absolute(path: str | Path) -> str:
    """A data set's path as it is stored: one that means the same from every folder; procedural data keep their name.

    Args:
        path: as for `open_data`; ``~`` is the home folder.
    """
    if not str(path).strip() or demo.count_of(str(path)) is not None:
        return str(path)
    return str(Path(path).expanduser().absolute())


def check_outside(path: str | Path, out: Path) -> None:
    """Refuse to write into a data set's folder: pictures written there would count as data the next time.

    Raises:
        UserError: `out` is the data's folder, or below it.
    """
    root = Path(path)
    somewhere = str(path).strip() and demo.count_of(str(path)) is None
    if somewhere and root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"{out} lies in the data's own folder {root}, where its pictures would count as data; choose another `out`."
        )


def _refuse_unreadable(root: Path, skipped: Sequence[tuple[str, str]], total: int) -> None:
    bad = [f"{file} ({reason})" for file, reason in skipped if not file.endswith("/")]
    if len(bad) > MAX_UNREADABLE * total:
        shown = listed(bad) if len(bad) <= 3 else f"{', '.join(bad[:3])} and {len(bad) - 3:,} more"
        raise UserError(
            f"{len(bad):,} of the {plural(total, 'image')} in {root} cannot be used, more than {MAX_UNREADABLE:.0%}: "
            f"{shown}; repair or remove them."
        )


def _assemble(index: DatasetIndex, entry: image_cache.Entry, size: int, path: str, reporter: Reporter) -> ImageData:
    gone = frozenset(row for row, _ in entry.skipped)
    kept: Sequence[int] = range(len(index.files))
    if gone:
        kept = [row for row in kept if row not in gone]
    classes = _classes(index.classes, (index.labels[i] for i in kept), path)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.fromiter((numbers[index.labels[i]] for i in kept), np.int64, len(kept))
    ungrouped = np.fromiter((not index.groups[i] for i in kept), bool, len(kept))
    found = check_sides(index, kept, entry, path, reporter) if index.unchecked else ""
    groups, group_of = groups_of(index, kept, bool(ungrouped.any()), entry, path, reporter)
    digest = hashlib.sha256(f"{entry.digest} {size} {classes!r}".encode("utf-8", "surrogateescape"))
    digest.update(labels.astype("<i8").tobytes())
    for array in (labels, group_of):
        array.flags.writeable = False
    return ImageData(
        name=index.name,
        classes=classes,
        images=entry.images,
        labels=labels,
        groups=groups,
        group_of=group_of,
        files=entry.files,
        fingerprint=digest.hexdigest(),
        licence=index.licence,
        skipped=(*index.skipped, *((index.files[row], reason) for row, reason in entry.skipped)),
        sides=np.array([index.sides[i] for i in kept], np.str_) if index.sides else None,
        warning=" ".join(filter(None, (index.warning, found))),
        ungrouped=ungrouped if ungrouped.any() else None,
        original=entry.original,
    )


def _classes(known: Sequence[str], labels: Iterable[str], path: str) -> tuple[str, ...]:
    """The classes that have an image, in order; fewer than two are an error."""
    present = set(labels)
    classes = tuple(name for name in known if name in present)
    if len(classes) < 2:
        what = f"one class only ({classes[0]!r})" if classes else "no image"
        raise UserError(f"{path} has {what}: a class-conditional model needs images of two classes or more.")
    if (unfit := unfit_class(classes)) is not None:
        if (twin := same_in_other_letters(unfit, classes)) is not None:
            raise UserError(
                f"{path} has the classes {twin!r} and {unfit!r}, which differ in capital letters alone and would be one "
                f"folder on some systems: merge them, as in `merge` '{unfit}={twin},{unfit}'."
            )
        raise UserError(
            f"{path} has a class {unfit!r}, which no folder can be called: give it another name by `merge`."
        )
    return classes
