"""From a checkpoint to images: PNG folders by class, a manifest, a contact sheet and a model card."""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.circuits.backends import Watched
from hqgan.circuits.statevector import simulate
from hqgan.files import others, sweep, write_atomically
from hqgan.images import labelled_rows, to_uint8, write_png
from hqgan.model_card import model_card
from hqgan.models.base import Generator
from hqgan.trained import Loaded
from hqgan.types import UserError, listed

BATCH = 64
"""Images made in one call. Every call has this many, so that an image does not depend on how many were asked for."""

MANIFEST = "manifest.csv"
BACKEND = "backend.json"


def latent_seed(seed: int, name: str, index: int) -> int:
    """The seed of one image's noise: a function of the call's seed, the class's name and the image's number in it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()[:7], "little")


def noise_of(latent_seeds: Sequence[int], size: int) -> torch.Tensor:
    """Normal noise (B, size), each row from a seed of its own."""
    rows = torch.empty(len(latent_seeds), size)
    for row, seed in zip(rows, latent_seeds, strict=True):
        row.normal_(generator=torch.Generator().manual_seed(seed))
    return rows


def numbered(
    classes: Sequence[str], counts: Mapping[str, int], seed: int, dropped: Collection[int] = ()
) -> list[tuple[str, str, int]]:
    """File, class and latent seed of each image of a call, class by class; images `dropped` leave their numbers free."""
    gone = frozenset(dropped)
    found = []
    for name in classes:
        latents = ((i, latent_seed(seed, name, i)) for i in count())
        kept = ((i, latent) for i, latent in latents if latent not in gone)
        found += [(f"{name}/{name}-{i:05d}.png", name, latent) for i, latent in islice(kept, counts.get(name, 0))]
    return found


@torch.no_grad()
def make_images(generator: Generator, labels: Sequence[int], latent_seeds: Sequence[int]) -> Iterator[np.ndarray]:
    """uint8 images (S, S, 3), one for each label and latent seed, in order; the generator in evaluation mode."""
    device = next(generator.parameters()).device
    for start in range(0, len(labels), BATCH):
        here, seeds = list(labels[start : start + BATCH]), list(latent_seeds[start : start + BATCH])
        # Another backend's time is dear, and its shots depend on the batch anyhow.
        filler = 0 if _watched(generator) else BATCH - len(here)
        noise = noise_of(seeds + [0] * filler, generator.noise_size).to(device)
        images = generator(noise, torch.tensor(here + [0] * filler, device=device))
        yield from to_uint8(images)[: len(here)]


def images_of(loaded: Loaded, made: Sequence[tuple[str, str, int]]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Labels (N,) int64, and uint8 images (S, S, 3) one after the other, of what `numbered` lists."""
    labels = np.array([loaded.classes.index(name) for _, name, _ in made], np.int64)
    return labels, make_images(loaded.generator, labels.tolist(), [latent for _, _, latent in made])


def counts_by_class(classes: Sequence[str], per_class: int | None, wanted: Sequence[str]) -> dict[str, int]:
    """``--per-class 200`` and ``--class df=500`` as a count for each class asked for.

    Raises:
        UserError: nothing asked for, an unknown class, or not a whole number.
    """
    counts = dict.fromkeys(classes, per_class) if per_class is not None else {}
    for text in wanted:
        name, sign, number = text.rpartition("=")  # a class may be called a=b
        if sign and name not in classes:
            raise UserError(f"There is no class {name!r} in this run; its classes are {listed(classes)}.")
        if not sign or not number.isdecimal():
            raise UserError(f"--class takes NAME=COUNT, as in {name}=500, not {text!r}.")
        counts[name] = int(number)
    counts = {name: n for name, n in counts.items() if n > 0}
    if not counts:
        raise UserError("Nothing to generate: ask for --per-class 200 or --class df=500.")
    return counts


def generate(
    loaded: Loaded,
    counts: Mapping[str, int],
    out: Path,
    seed: int = 0,
    metrics: Sequence[Mapping[str, Any]] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    dropped: Collection[int] = (),
) -> Path:
    """Write images and what belongs to them.

    `out` gets ``<class>/<class>-00000.png``, ``manifest.csv`` (file, class, seed, latent seed, checkpoint hash),
    ``contact-sheet.png`` and ``MODEL_CARD.md``. The same seed gives the same bytes, and image number i of a class is the
    same however many are asked for.

    On another backend there is ``backend.json`` too: how far readouts (radius 1) and images (grey levels of 256) lie from those
    of the exact simulator, at most and on average.

    Args:
        loaded: from `load`, or from `on_backend`.
        counts: images by class name.
        out: a new or empty folder, or one that an equal call wrote or was writing.
        seed: of the noise.
        metrics: rows for the model card.
        progress: called with images done and images in all.
        dropped: latent seeds of images to leave out (`read_dropped`); the next numbers take their places.

    Returns:
        The manifest's path.

    Raises:
        UserError: `out` holds anything else; it is left as it is.
    """
    order = [name for name in loaded.classes if name in counts]
    rows = [
        (file, name, seed, latent, loaded.checkpoint_hash, loaded.backend)
        for file, name, latent in numbered(loaded.classes, counts, seed, dropped)
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", "seed", "latent_seed", "checkpoint_sha256", "backend"])
    writer.writerows(rows)
    manifest = text.getvalue().encode()
    unfinished = out / f"{MANIFEST}.unfinished"
    _claim(out, manifest, unfinished)

    labels, seeds = [loaded.classes.index(row[1]) for row in rows], [row[3] for row in rows]
    sheet: dict[str, list[np.ndarray]] = {name: [] for name in order}
    watched, kept = _watched(loaded.generator), []
    for done, (row, image) in enumerate(zip(rows, make_images(loaded.generator, labels, seeds), strict=True)):
        path = out / row[0]
        path.parent.mkdir(exist_ok=True)
        write_png(path, image)
        if len(sheet[row[1]]) < 8:
            sheet[row[1]].append(image)
        if watched:
            kept.append(image)
        progress(done + 1, len(rows))
    if watched:
        apart = _deviation(loaded, watched, labels, seeds, np.stack(kept))
        write_atomically(out / BACKEND, (json.dumps(apart, indent=1) + "\n").encode())
    title = f"{loaded.config.preset} after {loaded.values['images']:,} images, seed {seed}"
    picture = labelled_rows([(name, np.stack(images)) for name, images in sheet.items()], scale=2, title=title)
    write_png(out / "contact-sheet.png", picture)
    card = model_card(loaded.config, loaded.classes, loaded.values, loaded.checkpoint_hash, metrics, loaded.backend)
    write_atomically(out / "MODEL_CARD.md", card.encode())
    write_atomically(out / MANIFEST, manifest)
    unfinished.unlink(missing_ok=True)
    sweep(out, "*/.*.part", ".*.part")
    return out / MANIFEST


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
            f"{path} is no list that --drop-copies can use: it needs the columns latent_seed and checkpoint_sha256, filled "
            "in; audit a run, or a folder with its manifest.csv."
        ) from error
    if others:
        raise UserError(
            f"{path} flags images of another checkpoint than this run's newest; audit this one, or name that checkpoint."
        )
    return seeds


def _watched(generator: Generator) -> Watched | None:
    backends = [circuit.backend for circuit in generator.circuits]
    return backends[0] if backends and isinstance(backends[0], Watched) else None


def _deviation(
    loaded: Loaded, watched: Watched, labels: Sequence[int], seeds: Sequence[int], images: np.ndarray
) -> dict[str, Any]:
    """How far a backend's readouts and images lie from those of the exact simulator."""
    exact = copy.deepcopy(loaded.generator)
    for circuit in exact.circuits:
        circuit.backend = simulate
    apart = np.abs(np.stack(list(make_images(exact, labels, seeds))).astype(int) - images)
    return {
        "backend": loaded.backend,
        "readouts": {"largest": watched.largest, "mean": watched.mean},
        "grey_levels": {"largest": int(apart.max()), "mean": float(apart.mean())},
    }


def _claim(out: Path, manifest: bytes, unfinished: Path) -> None:
    """Make sure that writing into `out` destroys nothing: it is empty, or holds this very call's images."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out.")
    for name in (out / MANIFEST, unfinished):
        if name.exists() and name.read_bytes() == manifest:
            return
    if others(out, unfinished.name):
        raise UserError(f"{out} holds other images or files; choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(unfinished, manifest)
