"""Which images of a data set are used, and what their classes are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from hqgan.config.sections import ClassSelection
from hqgan.data.index import DatasetIndex
from hqgan.data.layouts.isic2019 import DOWNSAMPLED
from hqgan.errors import UserError
from hqgan.wording import listed

SHARE = 0.2
"""Share of each class that the protocol hybridq takes."""


def choose(index: DatasetIndex, choice: ClassSelection, seed: int) -> DatasetIndex:
    """Apply a `ClassSelection` to an index: first its protocol, then its merged classes, then the classes to keep, in order.

    Args:
        index: of a whole data set.
        choice: the selection; its `label` has been used by the layout already.
        seed: for the images that a protocol draws.

    Raises:
        UserError: a class is missing, or merged twice; the protocol belongs to another data set.
    """
    if not (choice.protocol or choice.merge or choice.classes):
        return index
    rows = list(range(len(index.files)))
    labels, classes = list(index.labels), list(index.classes)
    if choice.protocol == "hybridq":
        if index.name != "isic2019":
            raise UserError(f"The protocol hybridq is of ISIC 2019, and this is {index.name}; leave it out.")
        rows = _sample([i for i in rows if DOWNSAMPLED not in index.files[i]], labels, classes, seed)
    for new, old in choice.merge.items():
        _known(old, classes, index, "merge")
        if new in classes and new not in old:
            raise UserError(f"There is a class {new!r} in {index.name} already; merge it too, or choose another name.")
        place = min(classes.index(name) for name in old)
        labels = [new if label in old else label for label in labels]
        classes = [new if i == place else name for i, name in enumerate(classes) if i == place or name not in old]
    if choice.classes:
        _known(choice.classes, classes, index, "classes")
        classes = list(choice.classes)
        rows = [i for i in rows if labels[i] in classes]
        if bare := [name for name in classes if name not in {labels[i] for i in rows}]:
            raise UserError(f"{index.name} has no image of the class {bare[0]!r} here; leave it out, or add some.")
    if rows == list(range(len(index.files))) and classes == list(index.classes):
        return index
    return replace(
        index,
        classes=tuple(classes),
        files=[index.files[i] for i in rows],
        labels=[labels[i] for i in rows],
        groups=[index.groups[i] for i in rows],
        sides=[index.sides[i] for i in rows] if index.sides else [],
    )


def parted(texts: Iterable[str], known: Collection[str]) -> list[str]:
    """Names of classes, as someone typed them: commas part them, but not within a name that is known, nor within quotes.

    Args:
        texts: such as ``nv,mel`` and ``Melanoma, NOS``.
        known: the names of the classes.
    """
    names: list[str] = []
    for text in texts:
        pieces = text.split(",")
        start = 0
        while start < len(pieces):
            longest = range(len(pieces), start, -1)
            ends = (end for end in longest if ",".join(pieces[start:end]).strip() in known)
            if (end := next(ends, 0)) == 0:
                rest = ",".join(pieces[start:])
                end = start + 1
                if rest.lstrip().startswith('"') and (close := rest.find('"', rest.index('"') + 1)) > 0:
                    end = start + rest[: close + 1].count(",") + 1
            name = ",".join(pieces[start:end]).strip()
            if len(name) > 1 and name[0] == name[-1] == '"' and name not in known:
                name = name[1:-1]
            names += [name] if name else []
            start = end
    return names


def _known(names: tuple[str, ...], classes: list[str], index: DatasetIndex, option: str) -> None:
    if unknown := [name for name in names if name not in classes]:
        raise UserError(
            f"data.choice.{option} names {unknown[0]!r}, which {index.name} lacks; it has {listed(classes)}."
        )
    if not names or len(set(names)) < len(names):
        raise UserError(f"data.choice.{option} names a class twice, or none: {listed(names)}.")


def _sample(rows: list[int], labels: list[str], classes: list[str], seed: int) -> list[int]:
    """A random fifth of the rows of each class, sorted."""
    kept: list[int] = []
    for number, name in enumerate(classes):
        mine = [i for i in rows if labels[i] == name]
        order = np.random.default_rng([seed, number]).permutation(len(mine))
        kept += [mine[i] for i in order[: max(1, round(SHARE * len(mine)))]]
    return sorted(kept)
