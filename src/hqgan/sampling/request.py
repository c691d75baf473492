"""Which images to generate: how many of each class, and which to leave out."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hqgan.errors import UserError
from hqgan.wording import listed


@dataclass(frozen=True)
class Request:
    """Which images to generate.

    Attributes:
        counts: images by class name.
        seed: of the images.
        dropped: latent seeds of images to leave out (`read_dropped`); the next numbers take their places.
    """

    counts: Mapping[str, int]
    seed: int = 0
    dropped: Collection[int] = ()


def counts_by_class(classes: Sequence[str], per_class: int | None, wanted: Sequence[str]) -> dict[str, int]:
    """``--per-class 200`` and ``--class df=500`` as a count for each class.

    Raises:
        UserError: nothing asked for, an unknown class, or not a whole number.
    """
    counts = dict.fromkeys(classes, per_class) if per_class is not None else {}
    for text in wanted:
        name, sign, number = text.rpartition("=")  # a class may be called a=b
        if sign and name not in classes:
            raise UserError(f"There is no class {name!r} in this run; its classes are {listed(classes)}.")
        if not sign or not number.isdecimal() or len(number) > 9:
            raise UserError(f"`class` takes NAME=COUNT below a billion, as in {name[:200]}=500, not {text[:200]!r}.")
        counts[name] = int(number)
    if per_class is not None and per_class >= 10**9:
        raise UserError("`per_class` is a number below a billion.")
    counts = {name: n for name, n in counts.items() if n > 0}
    if not counts:
        raise UserError("Nothing to generate: ask for `per_class` 200 or `class` df=500.")
    return counts


def read_dropped(path: Path, checkpoint_hash: str) -> frozenset[int]:
    """Latent seeds of the images that an audit flagged (its ``flagged.csv``).

    Args:
        path: the CSV.
        checkpoint_hash: of the generator to be used; images of another one would not be the flagged ones.

    Raises:
        UserError: no such file, not an audit's, without latent seeds, or of another checkpoint.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        seeds = frozenset(int(row["latent_seed"]) for row in rows)
        others = {row["checkpoint_sha256"] for row in rows} - {checkpoint_hash}
    except FileNotFoundError:
        raise UserError(f"There is no list of images to drop at {path}; `hqgan audit` writes one.") from None
    except (KeyError, ValueError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} is no list that `drop_copies` can use: it needs the columns latent_seed and checkpoint_sha256, filled "
            "in; audit a run, or a folder with its manifest.csv."
        ) from error
    if others:
        raise UserError(
            f"{path} flags images of another checkpoint than this run's newest; audit this one, or name that checkpoint."
        )
    return seeds
