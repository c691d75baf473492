"""Groups of images that have to stay on one side of a split: one lesion, one patient, one picture saved twice."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
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
    settled = (bool(index.sides) and not index.unchecked) or not some_unknown
    alike: Sequence[int] | np.ndarray = range(len(kept)) if settled else _alike(entry, reporter)
    if index.unchecked and not settled:  # near-duplicates on two sides are warned of by `check_sides`
        first_of: dict[tuple[int, str], int] = {}
        alike = [
            first_of.setdefault((int(first), index.sides[i]), k)
            for k, (i, first) in enumerate(zip(kept, alike, strict=True))
        ]
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


def check_sides(index: DatasetIndex, kept: Sequence[int], entry: Entry, path: str, reporter: Reporter) -> str:
    """Refuse groups and pictures that are on two sides of a split that someone made by folders; warn of near-duplicates.

    Args:
        index: of a data set with sides.
        kept: rows of the index that have an image.
        entry: those images in the cache.
        path: of the data, for error sentences.
        reporter: receives how many images are compared.

    Returns:
        A warning, empty where there are no near-duplicates on two sides.

    Raises:
        UserError: images of one group, or equal pictures, are on two sides.
    """
    alike = _alike(entry, reporter)
    owned = [i for i in kept if index.groups[i]]
    same_group = _on_two_sides(index, owned, [index.groups[i] for i in owned])
    near = _on_two_sides(index, kept, alike.tolist())
    twins = np.bincount(alike, minlength=len(kept))[alike] > 1 if near else np.zeros(len(kept), bool)
    members = np.flatnonzero(twins).tolist()
    equal = _on_two_sides(index, [kept[k] for k in members], [entry.images[k].tobytes() for k in members])
    for pairs, what in ((same_group, "images of one group"), (equal, "the same picture")):
        if pairs:
            one, other = pairs[0]
            more = f", and {len(pairs) - 1:,} more such pairs" if len(pairs) > 1 else ""
            raise UserError(
                f"The split of the folders in {path} leaks: {one} and {other} are {what}{more}. Keep them on one side, or "
                "put all images into one folder per class, and hqgan splits them by group."
            )
    if not near:
        return ""
    one, other = near[0]
    pairs_are = "image is a near-duplicate" if len(near) == 1 else "images are near-duplicates"
    return f"{len(near):,} {pairs_are} of one in another part of the split ({one} and {other}), so that results may be too good."


def in_two_classes(files: Sequence[str], labels: Sequence[str], contents: Sequence[str]) -> str:
    """A warning that names equal files of different classes; empty where there are none.

    Args:
        files: of the images.
        labels: the class of each.
        contents: the hash of each file, empty where it cannot be read.
    """
    first: dict[str, int] = {}
    pairs = [(first.setdefault(content, row), row) for row, content in enumerate(contents) if content]
    odd = [f"{files[one]} and {files[row]}" for one, row in pairs if labels[one] != labels[row]]
    if not odd:
        return ""
    more = f" and {len(odd) - 3:,} more" if len(odd) > 3 else ""
    what = "1 image is in two classes" if len(odd) == 1 else f"{len(odd):,} images are in two classes"
    return f"{what}, of which one is wrong: the same are {'; '.join(odd[:3])}{more}."


def _on_two_sides(index: DatasetIndex, rows: Sequence[int], keys: Sequence[Hashable]) -> list[tuple[str, str]]:
    """Files of equal keys and different sides: the first of each key, and each that is not on its side."""
    first: dict[Hashable, int] = {}
    pairs = [(first.setdefault(key, row), row) for row, key in zip(rows, keys, strict=True)]
    return [(index.files[one], index.files[row]) for one, row in pairs if index.sides[one] != index.sides[row]]


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
