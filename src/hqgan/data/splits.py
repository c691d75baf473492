"""Splits into training, validation and test parts in which all images of a lesion (or patient) are on one side."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.errors import UserError
from hqgan.io.files import LARGEST_TABLE, read_limited, write_atomically
from hqgan.types import ImageData, Split

SIDES = ("train", "validation", "test")
FRACTIONS = (0.7, 0.1, 0.2)
"""Shares of the images on each side."""
LISTED = 100_000
"""Up to so many images, a stored split lists the files by name."""


def split_of(data: ImageData, seed: int, fraction: float = 1.0) -> Split:
    """The split of a run with this `data.seed` and `data.fraction`: the publisher's split if there is one, else by group.

    Of folders called train and test, validation is drawn from train (`sides_to_draw`).

    Args:
        data: the data set.
        seed: for the split by group, and for the choice of the training groups that are kept.
        fraction: share of the training groups to keep, see `subsample_groups`.
    """
    if data.sides is None:
        split = split_by_group(data.labels, data.group_of, seed)
    else:
        split = Split(*(np.flatnonzero(data.sides == side) for side in SIDES))
        if drawn := sides_to_draw(data):
            shares = [share if side in drawn else 0.0 for side, share in zip(SIDES, FRACTIONS, strict=True)]
            own = split.train
            parts = split_by_group(data.labels[own], data.group_of[own], seed, (1 - sum(shares), *shares[1:]))
            validation, test = (own[getattr(parts, s)] if s in drawn else getattr(split, s) for s in SIDES[1:])
            split = Split(own[parts.train], validation, test)
    return subsample_groups(split, data.labels, data.group_of, fraction, seed)


def sides_to_draw(data: ImageData) -> tuple[str, ...]:
    """The sides that folders of someone's own lack: with train and test alone, validation is drawn from train, by group."""
    if data.sides is None or data.name != "folder":
        return ()
    return tuple(side for side in SIDES[1:] if not (data.sides == side).any())


def split_by_group(labels: np.ndarray, groups: np.ndarray, seed: int, fractions: Sequence[float] = FRACTIONS) -> Split:
    """Split images into train, validation and test: stratified by class, whole groups on one side.

    Every class with three groups or more has at least one on each side; one with two has them in train and test. A
    group whose images have different labels counts for its most common label.

    Args:
        labels: (N,) int class indices.
        groups: (N,) str, or numbers.
        seed: equal seeds give equal splits.
        fractions: shares of the images in train, validation and test; they sum to 1, and a side with 0 stays empty.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"three fractions that sum to 1 are needed, not {fractions}")
    labels = np.asarray(labels)
    group_of = numbered(groups)
    sizes = np.bincount(group_of)
    label_of = _group_labels(labels, group_of, len(sizes))

    side_of_group = np.zeros(len(sizes), np.int64)
    # Test before validation: the side that the small classes need first.
    order = [side for side in (0, 2, 1) if fractions[side] > 0]
    for label in np.unique(label_of):
        members = np.flatnonzero(label_of == label)
        np.random.Generator(np.random.PCG64([seed, int(label)])).shuffle(members)
        missing = np.array(fractions) * sizes[members].sum()
        missing[np.array(fractions) == 0] = -np.inf
        for i, group in enumerate(members):
            side = order[i] if i < len(order) else int(np.argmax(missing))
            side_of_group[group] = side
            missing[side] -= sizes[group]
    side_of = side_of_group[group_of]
    return Split(*(np.flatnonzero(side_of == side) for side in range(3)))


def subsample_groups(split: Split, labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int) -> Split:
    """Keep a share of the training part: whole groups, class by class, at least two groups of each class.

    What a smaller fraction keeps is part of what a larger one keeps. Validation and test are not changed.

    Args:
        split: the split to reduce.
        labels: (N,) int class indices.
        groups: (N,) str, or numbers.
        fraction: share of the training groups of each class; 1 keeps all.
        seed: equal seeds keep equal groups.
    """
    if fraction == 1:
        return split
    own_labels, own_groups = np.asarray(labels)[split.train], np.asarray(groups)[split.train]
    _, first, group_of = np.unique(own_groups, return_index=True, return_inverse=True)
    label_of = _group_labels(own_labels, group_of, len(first))
    kept = np.zeros(len(first), bool)
    for label in np.unique(label_of):
        members = np.flatnonzero(label_of == label)
        members = members[np.argsort(first[members])]
        order = np.random.Generator(np.random.PCG64([seed, int(label), 1])).permutation(members)
        kept[order[: max(2, round(fraction * len(members)))]] = True
    return Split(split.train[kept[group_of]], split.validation, split.test)


def numbered(names: np.ndarray) -> np.ndarray:
    """(N,) int32, equal names by equal numbers, in the order of their first appearance: the names themselves do not matter."""
    _, first, inverse = np.unique(np.asarray(names), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int32)[inverse]


def check_leaks(split: Split, groups: np.ndarray, names: np.ndarray | None = None) -> None:
    """Check that no group has images on two sides of the split.

    Args:
        split: the split to check.
        groups: (N,) str, or numbers.
        names: (N,) str, names of the groups for the sentence, where groups are numbers.

    Raises:
        UserError: a group has; it is named.
    """
    groups = np.asarray(groups)
    sides = [(name, np.unique(groups[getattr(split, name)])) for name in SIDES]
    for i, (side, here) in enumerate(sides):
        for other, there in sides[i + 1 :]:
            both = np.intersect1d(here, there, assume_unique=True)
            if len(both):
                name = str(both[0] if names is None else names[np.argmax(groups == both[0])])
                more = f" and {len(both) - 1:,} more" if len(both) > 1 else ""
                raise UserError(
                    f"The split leaks: group {name!r}{more} is in {side} and in {other}; split by group again."
                )


def save_split(path: Path, split: Split, data: ImageData) -> None:
    """Write a split as JSON with hashes of its data, completely or not at all.

    It lists file names, for people to read; for more than `LISTED` images, it holds the side of each in the data's order.

    Raises:
        UserError: the file cannot be written.
    """
    content: dict[str, Any] = {"version": 1, "data": data.name, "hash": _hash(data), "fingerprint": data.fingerprint}
    if len(data) <= LISTED:
        content |= {name: data.files[getattr(split, name)].tolist() for name in SIDES}
    else:
        packed = base64.b64encode(zlib.compress(_sides(split, len(data)).tobytes())).decode()
        content |= {"version": 2, "images": len(data), "sides": [*SIDES, "none"], "zlib": packed}
    try:
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise UserError(f"The split {path} cannot be written ({error.strerror or error}).") from error


def split_hash(split: Split, images: int) -> str:
    """Hex SHA-256 of the side of each of so many images, by which a checkpoint knows the split that it was trained on."""
    return hashlib.sha256(_sides(split, images).tobytes()).hexdigest()


def _sides(split: Split, images: int) -> np.ndarray:
    """(images,) uint8, the number of each image's side; 3 for those on none."""
    side_of = np.full(images, len(SIDES), np.uint8)
    for number, name in enumerate(SIDES):
        side_of[getattr(split, name)] = number
    return side_of


def load_split(path: Path, data: ImageData) -> Split:
    """Read a split back for the same data.

    Raises:
        UserError: the file is missing or damaged, leaks, has an empty side, or was made for other data.
    """
    try:
        content = json.loads(read_limited(path, LARGEST_TABLE).decode())
        if content["version"] not in (1, 2):
            raise ValueError(f"version {str(content['version'])[:20]} is not one of 1 and 2")
        if content["hash"] == _hash(data) and content.get("fingerprint", data.fingerprint) == data.fingerprint:
            split = _packed(content, data) if content["version"] == 2 else _by_names(content, data)
        else:
            split = None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        what = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise UserError(f"The split {path} cannot be read ({what}): remove it to split again.") from error
    if split is None:
        raise UserError(
            f"The split {path} was made for other data: images, files, classes or groups have changed since; "
            "restore the data, or start a new run."
        )
    check_leaks(split, data.group_of, data.groups)
    if empty := [side for side in ("train", "validation") if not len(getattr(split, side))]:
        raise UserError(f"The split {path} has no image on the side {empty[0]}: restore it, or start a new run.")
    return split


def _by_names(content: dict[str, Any], data: ImageData) -> Split | None:
    """A split of version 1; None if it names a file twice, or one that is not in the data."""
    names = {side: [str(file) for file in content[side]] for side in SIDES}
    row = {file: i for i, file in enumerate(data.files.tolist())}
    every = [file for side in SIDES for file in names[side]]
    if len(set(every)) != len(every) or not row.keys() >= set(every):
        return None
    return Split(*(np.array(sorted(row[file] for file in names[side]), np.int64) for side in SIDES))


def _packed(content: dict[str, Any], data: ImageData) -> Split | None:
    """A split of version 2; None if its number of images is another. What would unpack to more is not unpacked."""
    raw = zlib.decompressobj().decompress(base64.b64decode(content["zlib"], validate=True), len(data) + 1)
    side_of = np.frombuffer(raw, np.uint8)
    if len(side_of) != len(data) or side_of.max() > len(SIDES):
        return None
    return Split(*(np.flatnonzero(side_of == number) for number in range(len(SIDES))))


def _group_labels(labels: np.ndarray, group_of: np.ndarray, count: int) -> np.ndarray:
    """The most common label of each group; of equally common ones the smallest."""
    kinds, index = np.unique(labels, return_inverse=True)
    votes = np.zeros((count, max(len(kinds), 1)), np.int64)
    np.add.at(votes, (group_of, index), 1)
    return kinds[votes.argmax(1)]


def _hash(data: ImageData) -> str:
    if len(data) > LISTED:
        return hashlib.sha256(data.fingerprint.encode() + data.group_of.astype("<i4").tobytes()).hexdigest()
    rows = [data.classes, data.files.tolist(), data.labels.tolist(), data.groups.tolist()]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
