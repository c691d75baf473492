"""Opening a data set: recognise the layout, decode once into the cache, hand out a memory map."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hqgan.config import ChoiceConfig, DataConfig
from hqgan.data import cache as store
from hqgan.data import demo, fitzpatrick17k, folder, ham10000, isic2019, medmnist, odir, pad_ufes
from hqgan.data.choice import choose
from hqgan.data.decode import RULE, Decoded, decode
from hqgan.data.listing import Listing, hidden
from hqgan.types import ImageData, UserError, listed, plural, unfit_class

LAYOUTS = (
    "HAM10000 (HAM10000_metadata.csv), ISIC 2019 (ISIC_2019_Training_GroundTruth.csv), Fitzpatrick17k (fitzpatrick17k.csv), "
    "PAD-UFES-20 (metadata.csv), ODIR-5k (full_df.csv), each beside its images, MedMNIST (one .npz) and one folder of images per "
    "class"
)
_LAYOUTS = (isic2019, odir, pad_ufes, ham10000, medmnist, folder)
"""In the order in which they are tried: those that a file's name tells before those that take more."""
MAX_UNREADABLE = 0.05
MAX_NAME = 1024
"""Characters of a lesion's id, or of a file's path that stands for one."""
# Images handed to the pool at a time: enough to keep it busy, few enough to stop soon after Ctrl-C.
CHUNK = 64

ALL = ChoiceConfig()
"""Every image, in the publisher's classes."""

Progress = Callable[[int, int], None]


def open_data(
    path: str | Path,
    size: int = 64,
    *,
    seed: int = 0,
    choice: ChoiceConfig = ALL,
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
        cache: folder for decoded images; None takes ``$HQGAN_CACHE``, else the user's cache folder.
        progress: called with (images done, images in all) while decoding.

    Raises:
        UserError: nothing usable there, more than 5 % of the images unreadable, or the cache cannot be written.
    """
    return open_with_sizes(path, size, seed=seed, choice=choice, cache=cache, progress=progress)[0]


def open_configured(config: DataConfig, progress: Progress | None = None) -> ImageData:
    """`open_data` as a run's config says."""
    return open_data(config.path, config.size, seed=config.seed, choice=config.choice, progress=progress)


def open_with_sizes(
    path: str | Path,
    size: int = 64,
    *,
    seed: int = 0,
    choice: ChoiceConfig = ALL,
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
    if count is not None:
        listing = choose(demo.listing(count, seed), choice, seed)
        contents = [""] * len(listing.files)
        key = store.key_of("demo", demo.VERSION, count, seed, size, listing.files)
    else:
        root = Path(path)
        listing = recognise(root, choice.label)
        _refuse_unreadable(root, listing.skipped, listing.total)
        listing = choose(listing, choice, seed)
        _classes(listing.classes, listing.labels, str(path))
        if listing.archive:
            root = root if root.is_dir() else root.parent
            contents = [""] * len(listing.files)
            key = store.key_of(
                RULE, size, listing.name, store.hash_files(root, [listing.archive], place), listing.files
            )
        else:
            contents = store.hash_files(root, listing.files, place)
            key = store.key_of(RULE, size, list(zip(listing.files, contents, strict=True)))

    entry = store.load(place, key, size)
    if entry is None:
        if count is not None:
            rows = _only(demo.render(count, seed, size), listing.files)
        elif listing.archive:
            rows = _only(medmnist.images(root / listing.archive, size), listing.files)
        else:
            rows = _decode_all(root, listing, size)
        counted = _counted(rows, len(listing.files), progress)
        entry = store.store(place, key, size, counted, len(listing.files))
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


def recognise(root: Path, label: str = "") -> Listing:
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


def _only(rows: Iterator[tuple[str, Decoded]], files: Sequence[str]) -> Iterator[tuple[str, Decoded]]:
    """Of images made one after the other, those that were chosen."""
    wanted = set(files)
    return (row for row in rows if row[0] in wanted)


def _decode_all(root: Path, listing: Listing, size: int) -> Iterator[tuple[str, Decoded]]:
    """Decode in parallel, in order.

    Raises:
        UserError: after the last image, where too many were unreadable.
    """
    skipped = list(listing.skipped)
    with ThreadPoolExecutor(store.workers()) as pool:
        for start in range(0, len(listing.files), CHUNK):
            files = listing.files[start : start + CHUNK]
            # Pillow warns of odd files on standard error; what matters of it comes back as a reason.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                images = list(pool.map(decode, [root / file for file in files], [size] * len(files)))
            for file, image in zip(files, images, strict=True):
                if image.pixels is None:
                    skipped.append((file, image.reason))
                yield file, image
    _refuse_unreadable(root, skipped, listing.total)


def _counted(
    rows: Iterator[tuple[str, Decoded]], total: int, progress: Progress | None
) -> Iterator[tuple[str, Decoded]]:
    for done, row in enumerate(rows, 1):
        yield row
        if progress:
            progress(done, total)


def _refuse_unreadable(root: Path, skipped: Sequence[tuple[str, str]], total: int) -> None:
    bad = [f"{file} ({reason})" for file, reason in skipped if not file.endswith("/")]
    if len(bad) > MAX_UNREADABLE * total:
        shown = listed(bad) if len(bad) <= 3 else f"{', '.join(bad[:3])} and {len(bad) - 3:,} more"
        raise UserError(
            f"{len(bad):,} of the {plural(total, 'image')} in {root} cannot be used, more than {MAX_UNREADABLE:.0%}: "
            f"{shown}; repair or remove them."
        )


def _assemble(listing: Listing, entry: store.Entry, size: int, path: str) -> ImageData:
    rows = {file: i for i, file in enumerate(listing.files)}
    kept = [rows[file] for file in entry.files]
    named = [listing.labels[i] for i in kept]
    classes = _classes(listing.classes, named, path)
    labels = np.array([classes.index(name) for name in named], np.int64)
    named_groups = _groups(listing, kept, entry.alike)
    if (longest := max(map(len, named_groups))) > MAX_NAME:
        raise UserError(
            f"{path} has a lesion or patient whose id is {longest:,} characters long, more than {MAX_NAME:,}: its table "
            "is damaged."
        )
    groups = np.array(named_groups, np.str_)
    digest = hashlib.sha256(f"{entry.digest} {size} {classes!r}".encode("utf-8", "surrogateescape"))
    digest.update(labels.astype("<i8").tobytes())
    for array in (labels, groups):
        array.flags.writeable = False
    return ImageData(
        name=listing.name,
        classes=classes,
        images=entry.images,
        labels=labels,
        groups=groups,
        files=np.array(entry.files, np.str_),
        fingerprint=digest.hexdigest(),
        licence=listing.licence,
        skipped=tuple(listing.skipped + entry.skipped),
        sides=np.array([listing.sides[i] for i in kept], np.str_) if listing.sides else None,
        warning=listing.warning,
    )


def _classes(known: Sequence[str], labels: Sequence[str], path: str) -> tuple[str, ...]:
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


def _groups(listing: Listing, kept: Sequence[int], alike: np.ndarray) -> list[str]:
    """The lesion where it is known; else that of an image that this one is a near-duplicate of."""
    lesions: dict[int, str] = {}
    for i, first in zip(kept, alike.tolist(), strict=True):
        if listing.groups[i]:
            lesions.setdefault(first, listing.groups[i])
    found = []
    for i, first in zip(kept, alike.tolist(), strict=True):
        # Published sides are kept as they are, duplicates and all.
        own = listing.files[i] if listing.sides else lesions.get(first, listing.files[kept[first]])
        found.append(listing.groups[i] or own)
    return found
