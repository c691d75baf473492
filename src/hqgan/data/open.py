"""Opening a data set: recognise the layout, decode once into the cache, hand out a memory map."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np

from hqgan.config import ClassSelection, DataConfig
from hqgan.data import cache as store
from hqgan.data.decode import RULES, Decoded, Fit, decode
from hqgan.data.groups import groups_of
from hqgan.data.hashes import hash_files
from hqgan.data.index import DatasetIndex, hidden
from hqgan.data.layouts import fitzpatrick17k, folder, ham10000, isic2019, medmnist, odir, pad_ufes
from hqgan.data.select import choose
from hqgan.data.synthetic import demo
from hqgan.errors import UserError
from hqgan.io.folder_names import unfit_class
from hqgan.types import ImageData
from hqgan.wording import listed, plural

LAYOUTS = (
    "HAM10000 (HAM10000_metadata.csv), ISIC 2019 (ISIC_2019_Training_GroundTruth.csv), Fitzpatrick17k (fitzpatrick17k.csv), "
    "PAD-UFES-20 (metadata.csv), ODIR-5k (full_df.csv), each beside its images, MedMNIST (one .npz) and one folder of images per "
    "class"
)
_LAYOUTS = (isic2019, odir, pad_ufes, ham10000, medmnist, folder)
"""In the order in which they are tried: those that a file's name tells before those that take more."""
MAX_UNREADABLE = 0.05
# Images handed to the pool at a time: enough to keep it busy, few enough to stop soon after Ctrl-C.
CHUNK = 64

ALL_CLASSES = ClassSelection()
"""Every image, in the publisher's classes."""

Progress = Callable[[int, int], None]


def open_data(
    path: str | Path,
    size: int = 64,
    *,
    seed: int = 0,
    choice: ClassSelection = ALL_CLASSES,
    fit: Fit = "crop",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> ImageData:
    """Open a data set as square uint8 images in a read-only memory map.

    The first time, images are decoded, cropped to their centre square and resized antialiased; the result is cached by
    content, and opening again takes a fraction of a second. The source is never written to.

    Args:
        path: ``demo`` or ``demo:2000`` for so many procedural images (1,400 by default); otherwise a folder or archive in
            one of `LAYOUTS`. ``./demo`` is a folder of that name.
        size: side of the images in pixels, 8 to 1024.
        seed: of the procedural images, and of what a protocol draws; other data do not depend on it.
        choice: which images and classes of them.
        fit: how an image becomes a square: crop takes its centre, squeeze all of it, whatever its shape.
        cache: folder for decoded images; None takes ``$HQGAN_CACHE``, else the user's cache folder.
        progress: called with (images done, images in all) while decoding.

    Raises:
        UserError: nothing usable there, more than 5 % of the images unreadable, or the cache cannot be written.
    """
    return open_with_sizes(path, size, seed=seed, choice=choice, fit=fit, cache=cache, progress=progress)[0]


def open_configured(config: DataConfig, progress: Progress | None = None) -> ImageData:
    """`open_data` as a run's config says."""
    return open_data(
        config.path, config.size, seed=config.seed, choice=config.choice, fit=config.fit, progress=progress
    )


def open_with_sizes(
    path: str | Path,
    size: int = 64,
    *,
    seed: int = 0,
    choice: ClassSelection = ALL_CLASSES,
    fit: Fit = "crop",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[ImageData, np.ndarray]:
    """`open_data`, and the (N, 2) widths and heights in pixels that the images had before cropping."""
    if not 8 <= size <= 1024:
        raise UserError(f"An image size of {size} pixels is outside 8 to 1024.")
    if not str(path).strip():
        raise UserError("The path of the data is empty: give a data set's folder, or demo for procedural images.")
    place = store.cache_folder(cache)
    count = demo.count_of(str(path))
    root, part = Path(path), store.PART
    if count is not None:
        whole = demo.listing(count, seed)
        listing = choose(whole, choice, seed)
        # Names follow from count and seed; a million of them need not be written down to be hashed.
        names = [] if listing.files is whole.files else list(listing.files)
        key = store.key_of("demo", demo.VERSION, count, seed, size, names)
    else:
        listing = recognise(root, choice.label)
        _refuse_unreadable(root, listing.skipped, listing.total)
        listing = choose(listing, choice, seed)
        _classes(listing.classes, listing.labels, str(path))
        if listing.archive:
            root, part = (
                root if root.is_dir() else root.parent,
                len(listing.files),
            )  # it can only be read from its start
            key = store.key_of(
                RULES[fit], size, listing.name, hash_files(root, [listing.archive], place), listing.files
            )
        else:
            contents = hash_files(root, listing.files, place)
            key = store.key_of(RULES[fit], size, list(zip(listing.files, contents, strict=True)))

    def make(start: int, stop: int) -> Iterator[Decoded]:
        files = listing.files[start:stop]
        if count is not None:
            return (Decoded(demo.paint_file(file, seed, size), (size, size)) for file in files)
        if listing.archive:
            wanted = set(files)
            return (image for file, image in medmnist.images(root / listing.archive, size, fit) if file in wanted)
        return _decode_all([root / file for file in files], size, fit)

    def check(skipped: list[tuple[int, str]]) -> None:
        found = [(listing.files[row], reason) for row, reason in skipped]
        _refuse_unreadable(root, [*listing.skipped, *found], listing.total)

    entry = store.load(place, key, size)
    if entry is None:
        entry = store.store(place, key, size, listing.files, make, part=part, check=check, progress=progress)
    return _assemble(listing, entry, size, str(path)), entry.original


def check_outside(path: str | Path, out: Path) -> None:
    """Refuse to write into a data set: the pictures there would be part of it the next time.

    Raises:
        UserError: `out` is the data's folder, or below it.
    """
    root = Path(path)
    somewhere = str(path).strip() and demo.count_of(str(path)) is None
    if somewhere and root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"{out} lies in the data's own folder {root}, where its pictures would count as data; choose another --out."
        )


def recognise(root: Path, label: str = "") -> DatasetIndex:
    """Which layout the folder `root` has, and what it lists, by the column `label` where it has several.

    Raises:
        UserError: it is no folder, is empty, or has no known layout.
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
        listing = fitzpatrick17k.recognise(root, label)
        if label and listing is None:
            raise UserError(f"{root} is not Fitzpatrick17k, the one data set with several labels; leave the label out.")
        if listing is None:
            listing = next((one for layout in _LAYOUTS if (one := layout.recognise(root)) is not None), None)
    except OSError as error:
        raise UserError(f"{root} cannot be read ({error.strerror or error}): check its permissions.") from error
    if listing is None:
        shown = listed(found[:4]) if len(found) <= 4 else f"{', '.join(found[:3])} and {len(found) - 3:,} more"
        raise UserError(f"The layout of {root} is not known: it holds {shown}; hqgan reads {LAYOUTS}.")
    return listing


def _decode_all(paths: Sequence[Path], size: int, fit: Fit) -> Iterator[Decoded]:
    """Decode in parallel, in order."""
    with ThreadPoolExecutor(store.workers()) as pool:
        for start in range(0, len(paths), CHUNK):
            some = paths[start : start + CHUNK]
            # Pillow warns of odd files on standard error; what matters of it comes back as a reason.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                images = list(pool.map(decode, some, repeat(size), repeat(fit)))
            yield from images


def _refuse_unreadable(root: Path, skipped: Sequence[tuple[str, str]], total: int) -> None:
    bad = [f"{file} ({reason})" for file, reason in skipped if not file.endswith("/")]
    if len(bad) > MAX_UNREADABLE * total:
        shown = listed(bad) if len(bad) <= 3 else f"{', '.join(bad[:3])} and {len(bad) - 3:,} more"
        raise UserError(
            f"{len(bad):,} of the {plural(total, 'image')} in {root} cannot be used, more than {MAX_UNREADABLE:.0%}: "
            f"{shown}; repair or remove them."
        )


def _assemble(listing: DatasetIndex, entry: store.Entry, size: int, path: str) -> ImageData:
    gone = frozenset(row for row, _ in entry.skipped)
    kept: Sequence[int] = (
        [row for row in range(len(listing.files)) if row not in gone] if gone else range(len(listing.files))
    )
    classes = _classes(listing.classes, (listing.labels[i] for i in kept), path)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.fromiter((numbers[listing.labels[i]] for i in kept), np.int64, len(kept))
    ungrouped = np.fromiter((not listing.groups[i] for i in kept), bool, len(kept))
    groups, group_of = groups_of(listing, kept, bool(ungrouped.any()), entry, path)
    digest = hashlib.sha256(f"{entry.digest} {size} {classes!r}".encode("utf-8", "surrogateescape"))
    digest.update(labels.astype("<i8").tobytes())
    for array in (labels, group_of):
        array.flags.writeable = False
    return ImageData(
        name=listing.name,
        classes=classes,
        images=entry.images,
        labels=labels,
        groups=groups,
        group_of=group_of,
        files=entry.files,
        fingerprint=digest.hexdigest(),
        licence=listing.licence,
        skipped=(*listing.skipped, *((listing.files[row], reason) for row, reason in entry.skipped)),
        sides=np.array([listing.sides[i] for i in kept], np.str_) if listing.sides else None,
        warning=listing.warning,
        ungrouped=ungrouped if ungrouped.any() else None,
    )


def _classes(known: Sequence[str], labels: Iterable[str], path: str) -> tuple[str, ...]:
    """The classes that have an image, in order; fewer than two are an error."""
    present = set(labels)
    classes = tuple(name for name in known if name in present)
    if len(classes) < 2:
        what = f"one class only ({classes[0]!r})" if classes else "no image"
        raise UserError(f"{path} has {what}: a class-conditional model needs images of two classes or more.")
    if (unfit := unfit_class(classes)) is not None:
        raise UserError(
            f"{path} has a class {unfit!r}, which no folder can be called: give it another name by --merge."
        )
    return classes
