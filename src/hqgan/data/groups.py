"""Groups of images that have to stay on one side of a split: one lesion, one patient, one picture saved twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from hqgan.data.cache import Entry, texts
from hqgan.data.index import DatasetIndex
from hqgan.data.near_duplicates import first_alike, perceptual_hash
from hqgan.data.splits import numbered
from hqgan.errors import UserError
from hqgan.io.files import flush, replacing
from hqgan.reporter import SILENT, Reporter

MAX_NAME = 1024
"""Most characters of a group's name."""


def groups_of(
    index: DatasetIndex, kept: Sequence[int], some_unknown: bool, entry: Entry, path: str, reporter: Reporter = SILENT
) -> tuple[np.ndarray, np.ndarray]:
    """The group of each image: its lesion where known, else the group of the image it is a near-duplicate of, else its own file.

    Args:
        index: of the data set.
        kept: rows of the index that have an image.
        some_unknown: whether the lesion of any of them is not known.
        entry: those images in the cache.
        path: of the data, for error sentences.
        reporter: receives in how many images near-duplicates are looked for, as task ``comparing``.

    Returns:
        Names (N,) str, a memory map, and numbers (N,) int32 by first appearance.

    Raises:
        UserError: a name is far too long.
    """
    # A published split is kept as it is, with its duplicates.
    settled = bool(index.sides) or not some_unknown
    alike = range(len(kept)) if settled else _alike(entry, reporter)
    lesions: dict[int, str] = {}
    for i, first in () if settled else zip(kept, alike, strict=True):
        if index.groups[i]:
            lesions.setdefault(first, index.groups[i])

    def names() -> Iterator[str]:
        for i, first in zip(kept, alike, strict=True):
            yield index.groups[i] or lesions.get(first, index.files[kept[first]])

    # As hashes of 64 bits: a million names would take too much memory.
    marks = np.fromiter((_hash64(name, path) for name in names()), np.uint64, len(kept))
    digest = hashlib.sha256(marks.tobytes()).hexdigest()
    return texts(entry.place, f"groups-{digest[:16]}", names), numbered(marks)


def _hash64(name: str, path: str) -> int:
    if len(name) > MAX_NAME:
        raise UserError(
            f"{path} has a lesion or patient whose id is {len(name):,} characters long, more than {MAX_NAME:,}: its table "
            "is damaged."
        )
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _alike(entry: Entry, reporter: Reporter) -> np.ndarray:
    """(N,) for each image the first one that it is a near-duplicate of, or itself; computed once and stored."""
    path, count = entry.place / "alike.npy", len(entry.files)
    with suppress(Exception):  # computed again, whatever is wrong with it
        alike = np.load(path, allow_pickle=False)
        if alike.shape == (count,) and alike.dtype == np.int64 and ((alike >= 0) & (alike <= np.arange(count))).all():
            return alike
    hashes = []
    for image in entry.images:
        hashes.append(perceptual_hash(image))
        if len(hashes) % 100 == 0 or len(hashes) == count:
            reporter.progress("comparing", len(hashes), count)
    alike = first_alike(hashes)
    with suppress(OSError), replacing(path) as temporary, temporary.open("wb") as stream:  # stored only to save time
        np.save(stream, alike)
        flush(stream)
    return alike
