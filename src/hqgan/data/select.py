"""Which images of a listing are taken, and what their classes are called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hqgan.config import ClassSelection
from hqgan.data.index import DatasetIndex
from hqgan.data.layouts.isic2019 import DOWNSAMPLED
from hqgan.errors import UserError
from hqgan.wording import listed

SHARE = 0.2
"""Of each class, that the protocol hybridq takes."""


def choose(listing: DatasetIndex, choice: ClassSelection, seed: int) -> DatasetIndex:
    """The listing that is left: protocol first, then classes merged, then classes kept, in their order.

    Args:
        listing: of a whole data set.
        choice: what is asked for; `label` is the layout's own affair.
        seed: of what a protocol draws.

    Raises:
        UserError: a class that is not there, or in two merged ones; a protocol of another data set.
    """
    if not (choice.protocol or choice.merge or choice.classes):
        return listing
    rows = list(range(len(listing.files)))
    labels, classes = list(listing.labels), list(listing.classes)
    if choice.protocol == "hybridq":
        if listing.name != "isic2019":
            raise UserError(f"The protocol hybridq is of ISIC 2019, and this is {listing.name}; leave it out.")
        rows = _sample([i for i in rows if DOWNSAMPLED not in listing.files[i]], labels, classes, seed)
    for new, old in choice.merge.items():
        _known(old, classes, listing, "merge")
        if new in classes and new not in old:
            raise UserError(
                f"There is a class {new!r} in {listing.name} already; merge it too, or choose another name."
            )
        place = min(classes.index(name) for name in old)
        labels = [new if label in old else label for label in labels]
        classes = [new if i == place else name for i, name in enumerate(classes) if i == place or name not in old]
    if choice.classes:
        _known(choice.classes, classes, listing, "classes")
        classes = list(choice.classes)
        rows = [i for i in rows if labels[i] in classes]
        if bare := [name for name in classes if name not in {labels[i] for i in rows}]:
            raise UserError(f"{listing.name} has no image of the class {bare[0]!r} here; leave it out, or add some.")
    if rows == list(range(len(listing.files))) and classes == list(listing.classes):
        return listing
    return replace(
        listing,
        classes=tuple(classes),
        files=[listing.files[i] for i in rows],
        labels=[labels[i] for i in rows],
        groups=[listing.groups[i] for i in rows],
        sides=[listing.sides[i] for i in rows] if listing.sides else [],
    )


def _known(names: tuple[str, ...], classes: list[str], listing: DatasetIndex, option: str) -> None:
    if unknown := [name for name in names if name not in classes]:
        raise UserError(
            f"data.choice.{option} names {unknown[0]!r}, which {listing.name} lacks; it has {listed(classes)}."
        )
    if not names or len(set(names)) < len(names):
        raise UserError(f"data.choice.{option} names a class twice, or none: {listed(names)}.")


def _sample(rows: list[int], labels: list[str], classes: list[str], seed: int) -> list[int]:
    """A fifth of each class's rows, in order."""
    kept: list[int] = []
    for number, name in enumerate(classes):
        mine = [i for i in rows if labels[i] == name]
        order = np.random.default_rng([seed, number]).permutation(len(mine))
        kept += [mine[i] for i in order[: max(1, round(SHARE * len(mine)))]]
    return sorted(kept)
