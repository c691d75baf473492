"""Which images to generate, and from latent seeds to images.

The same seed, class and number give the same image, whatever the total number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch

from hqgan.circuits.backends.registry import Watched
from hqgan.errors import UserError
from hqgan.io.files import read_csv
from hqgan.io.images import to_uint8
from hqgan.models.base import Generator
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.memory import check_room
from hqgan.sampling.load import Loaded
from hqgan.wording import listed

Numbered = tuple[str, str, int]
"""File, class and latent seed of a generated image."""

ROW = 1000
"""Bytes that a row of `numbered` and its line of the manifest take, roughly."""

BATCH = 64
"""Images made in one call. Every call has this many, so that an image does not depend on how many were asked for."""


SEED_MARK = "seed:"
"""Stands before latent seeds in ``flagged.csv``: a spreadsheet keeps a text, and rounds a number of 17 digits."""

NUMBERED = re.compile(r"(?P<name>[^/]+)/(?P=name)-(?P<number>[0-9]{5,12})\.png")
"""File of a generated image, as `numbered` names it."""


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
            shown = (name or text or classes[0])[:200]
            raise UserError(f"`class` takes NAME=COUNT below a billion, as in {shown}=500, not {text[:200]!r}.")
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
        UserError: no such file, not an audit's, of another checkpoint, or a latent seed that is not its image's: with it, the
            flagged image would be generated all the same.
    """
    try:
        rows = read_csv(path, ("file", "class", "latent_seed", "checkpoint_sha256"))
        seeds = [int(row["latent_seed"].removeprefix(SEED_MARK)) for row in rows]
    except FileNotFoundError:
        raise UserError(f"There is no list of images to drop at {path}; `hqgan audit` writes one.") from None
    except ValueError as error:
        raise UserError(
            f"{path} is no list that `drop_copies` can use ({error}): it needs the columns file, class, latent_seed and "
            "checkpoint_sha256, filled in; audit a run, or a folder with its manifest.csv."
        ) from error
    if any(row["checkpoint_sha256"] != checkpoint_hash for row in rows):
        raise UserError(
            f"{path} flags images of another checkpoint than this run's newest; audit this one, or name that checkpoint."
        )
    for row, latent in zip(rows, seeds, strict=True):
        if not fits(row, latent):
            raise UserError(
                f"The latent seed {latent} in {path} is not that of its image {row['file'][:80]!r}, which would therefore not be "
                "left out: a spreadsheet may have rounded it. Take the file as `hqgan audit` wrote it, or audit again."
            )
    return frozenset(seeds)


def fits(row: Mapping[str, str], latent: int) -> bool:
    """Whether a latent seed is that of the image in a row with ``file``, ``class`` and, in most lists, ``seed``."""
    found = NUMBERED.fullmatch(row["file"])
    if not found or found["name"] != row["class"]:
        return False
    given = row.get("seed", "")
    tried = [given] if given else range(1000)  # lists of older versions do not name the call's seed
    return any(latent_seed(seed, row["class"], int(found["number"])) == latent for seed in tried)


def latent_seed(seed: int | str, name: str, index: int) -> int:
    """The seed of one image's noise: a function of the call's seed, the class's name and the image's number in it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()[:7], "little")


def noise_of(latent_seeds: Sequence[int], size: int) -> torch.Tensor:
    """Normal noise (B, size), each row from its own seed.

    By NumPy's generator, since torch's takes 32 bits of a seed on the CPU: among a million images some would be equal.
    """
    rows = np.empty((len(latent_seeds), size), np.float32)
    for row, seed in zip(rows, latent_seeds, strict=True):
        np.random.Generator(np.random.PCG64(seed)).standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(rows)


def numbered(
    classes: Sequence[str], counts: Mapping[str, int], seed: int, dropped: Collection[int] = ()
) -> list[Numbered]:
    """The images of a call, class by class; images `dropped` leave their numbers free.

    Raises:
        UserError: there is no memory for so many.
    """
    check_room(sum(counts.values()), ROW)
    gone = frozenset(dropped)
    found = []
    for name in classes:
        latents = ((i, latent_seed(seed, name, i)) for i in count())
        kept = ((i, latent) for i, latent in latents if latent not in gone)
        found += [(f"{name}/{name}-{i:05d}.png", name, latent) for i, latent in islice(kept, counts.get(name, 0))]
    return found


def check_held(loaded: Loaded, counts: Mapping[str, int]) -> None:
    """Refuse more images than can be held in memory at once, twice over while they become one array.

    Raises:
        UserError: there is no memory for so many.
    """
    check_room(sum(counts.values()), 2 * 3 * loaded.config.data.size**2)


def make_images(
    generator: Generator, labels: Sequence[int], latent_seeds: Sequence[int], truncation: float = 1.0
) -> Iterator[np.ndarray]:
    """uint8 images (S, S, 3), one for each label and latent seed, in order; the generator in evaluation mode.

    The noise is multiplied by `truncation`.
    """
    for start in range(0, len(labels), BATCH):
        noise = noise_of(latent_seeds[start : start + BATCH], generator.noise_size) * truncation
        yield from images_of_noise(generator, labels[start : start + BATCH], noise)


@torch.no_grad()
def images_of_noise(generator: Generator, labels: Sequence[int], noise: torch.Tensor) -> np.ndarray:
    """uint8 images (B, S, S, 3), up to `BATCH`, of labels (B) and noise (B, noise_size); the generator in evaluation mode."""
    device = next(generator.parameters()).device
    # Time on another backend is expensive, and its shots depend on the batch anyway.
    filler = 0 if watched_backend(generator) else BATCH - len(labels)
    whole = torch.cat([noise, noise_of([0] * filler, generator.noise_size)]).to(device)
    images = generator(whole, torch.tensor([*labels, *[0] * filler], device=device))
    return to_uint8(images)[: len(labels)]


def images_of(loaded: Loaded, made: Sequence[Numbered]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Labels (N,) int64, and an iterator of uint8 images (S, S, 3), for the images that `numbered` lists."""
    labels = np.array([loaded.classes.index(name) for _, name, _ in made], np.int64)
    return labels, make_images(loaded.generator, labels.tolist(), [latent for _, _, latent in made], loaded.truncation)


def matched_images(
    generator: Generator, classes: Sequence[str], labels: np.ndarray, seed: int, reporter: Reporter = SILENT
) -> np.ndarray:
    """One uint8 image for each label, numbered by class as `hqgan generate` numbers them."""
    numbers = [count() for _ in classes]
    seeds = [latent_seed(seed, classes[label], next(numbers[label])) for label in labels]
    return stacked(make_images(generator, labels.tolist(), seeds), len(labels), reporter)


def stacked(
    images: Iterator[np.ndarray], total: int, reporter: Reporter = SILENT, task: str = "generating"
) -> np.ndarray:
    """All `total` images (N, S, S, 3); how many are made is reported as `task`."""
    made = []
    reporter.progress(task, 0, total)
    for image in images:
        made.append(image)
        if len(made) % BATCH == 0 or len(made) == total:
            reporter.progress(task, len(made), total)
    return np.stack(made)


def watched_backend(generator: Generator) -> Watched | None:
    """The backend that `load.on_backend` put the generator's circuits on; None for the exact simulator."""
    backends = [circuit.backend for circuit in generator.circuits]
    return backends[0] if backends and isinstance(backends[0], Watched) else None
