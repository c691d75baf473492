"""From a checkpoint to images: PNG folders by class, a manifest, a contact sheet and a model card."""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.circuits.backends.registry import Watched
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError
from hqgan.io.files import others, sweep, write_atomically
from hqgan.io.images import is_whole_png, labelled_rows, read_png, to_uint8, write_png
from hqgan.io.lock import LOCK, locked
from hqgan.metrics.record import MetricRow
from hqgan.models.base import Generator
from hqgan.runtime.processes import ALL, Shard
from hqgan.sampling.load import Loaded
from hqgan.sampling.model_card import model_card
from hqgan.wording import listed

BATCH = 64
"""Images made in one call. Every call has this many, so that an image does not depend on how many were asked for."""

SHARD = 32 * BATCH
"""Images after which a call that is stopped can go on."""

MANIFEST = "manifest.csv"
UNFINISHED = f"{MANIFEST}.unfinished"
MARKS = ".shards"
"""Folder of empty files, one for each shard that is whole."""
BACKEND = "backend.json"


def latent_seed(seed: int, name: str, index: int) -> int:
    """The seed of one image's noise: a function of the call's seed, the class's name and the image's number in it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()[:7], "little")


def noise_of(latent_seeds: Sequence[int], size: int) -> torch.Tensor:
    """Normal noise (B, size), each row from a seed of its own.

    By NumPy's generator, since torch's takes 32 bits of a seed on the CPU: among a million images some would be equal.
    """
    rows = np.empty((len(latent_seeds), size), np.float32)
    for row, seed in zip(rows, latent_seeds, strict=True):
        np.random.Generator(np.random.PCG64(seed)).standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(rows)


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


def make_images(generator: Generator, labels: Sequence[int], latent_seeds: Sequence[int]) -> Iterator[np.ndarray]:
    """uint8 images (S, S, 3), one for each label and latent seed, in order; the generator in evaluation mode."""
    for start in range(0, len(labels), BATCH):
        noise = noise_of(latent_seeds[start : start + BATCH], generator.noise_size)
        yield from images_of_noise(generator, labels[start : start + BATCH], noise)


@torch.no_grad()
def images_of_noise(generator: Generator, labels: Sequence[int], noise: torch.Tensor) -> np.ndarray:
    """uint8 images (B, S, S, 3), up to `BATCH`, of labels (B) and noise (B, noise_size); the generator in evaluation mode."""
    device = next(generator.parameters()).device
    # Another backend's time is dear, and its shots depend on the batch anyhow.
    filler = 0 if _watched(generator) else BATCH - len(labels)
    whole = torch.cat([noise, noise_of([0] * filler, generator.noise_size)]).to(device)
    images = generator(whole, torch.tensor([*labels, *[0] * filler], device=device))
    return to_uint8(images)[: len(labels)]


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
        if not sign or not number.isdecimal() or len(number) > 9:
            raise UserError(f"`class` takes NAME=COUNT below a billion, as in {name[:200]}=500, not {text[:200]!r}.")
        counts[name] = int(number)
    if per_class is not None and per_class >= 10**9:
        raise UserError("`per_class` is a number below a billion.")
    counts = {name: n for name, n in counts.items() if n > 0}
    if not counts:
        raise UserError("Nothing to generate: ask for `per_class` 200 or `class` df=500.")
    return counts


def generate(
    loaded: Loaded,
    counts: Mapping[str, int],
    out: Path,
    seed: int = 0,
    metrics: Sequence[MetricRow] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    dropped: Collection[int] = (),
    share: Shard = ALL,
) -> Path:
    """Write images and what belongs to them.

    `out` gets ``<class>/<class>-00000.png``, ``manifest.csv`` (file, class, seed, latent seed, checkpoint hash),
    ``contact-sheet.png`` and ``MODEL_CARD.md``. The same seed gives the same bytes, and image number i of a class is the
    same however many are asked for. They are written in shards of `SHARD`; what is stopped goes on with the first shard that is
    not whole, and several processes take turns with the shards. The one that ends last writes the rest.

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
        share: which shards are this process's.

    Returns:
        The manifest's path.

    Raises:
        UserError: `out` holds anything else; it is left as it is.
    """
    rows = numbered(loaded.classes, counts, seed, dropped)
    manifest = _manifest(rows, loaded, seed)
    watched = _watched(loaded.generator)
    if watched and share.world > 1:
        raise UserError(f"{loaded.backend} runs in one process; start hqgan without torchrun.")
    with _turn(out, manifest):
        if _claim(out, manifest) and share.world > 1:
            return out / MANIFEST  # others were faster
    shards = [rows[start : start + SHARD] for start in range(0, len(rows), SHARD)]
    mine, done = share.rows(list(enumerate(shards))), 0
    total = sum(len(shard) for _, shard in mine)
    for number, shard in mine:
        mark = out / MARKS / f"{number:06d}"
        if watched or not mark.exists():
            for (file, _, _), image in zip(shard, images_of(loaded, shard)[1], strict=True):
                (out / file).parent.mkdir(exist_ok=True)
                write_png(out / file, image)
                done += 1
                progress(done, total)
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
        else:
            done += len(shard)
    if watched:
        apart = _deviation(loaded, watched, rows, out)
        write_atomically(out / BACKEND, (json.dumps(apart, indent=1) + "\n").encode())
    with _turn(out, manifest):
        if all((out / MARKS / f"{number:06d}").exists() for number in range(len(shards))):
            _refuse_torn(shards, out)
            _finish(loaded, rows, out, seed, metrics, manifest)
    return out / MANIFEST


def _manifest(rows: Sequence[tuple[str, str, int]], loaded: Loaded, seed: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", "seed", "latent_seed", "checkpoint_sha256", "backend"])
    writer.writerows((file, name, seed, latent, loaded.checkpoint_hash, loaded.backend) for file, name, latent in rows)
    return text.getvalue().encode()


def _finish(
    loaded: Loaded,
    rows: Sequence[tuple[str, str, int]],
    out: Path,
    seed: int,
    metrics: Sequence[MetricRow],
    manifest: bytes,
) -> None:
    """What belongs to the images, once they are all there; the manifest last."""
    sheet: dict[str, list[np.ndarray]] = {}
    for file, name, _ in rows:
        if len(sheet.setdefault(name, [])) < 8:
            sheet[name].append(read_png(out / file))
    title = f"{loaded.config.preset} after {loaded.values['images']:,} images, seed {seed}"
    picture = labelled_rows([(name, np.stack(images)) for name, images in sheet.items()], scale=2, title=title)
    write_png(out / "contact-sheet.png", picture)
    card = model_card(loaded.config, loaded.classes, loaded.values, loaded.checkpoint_hash, metrics, loaded.backend)
    write_atomically(out / "MODEL_CARD.md", card.encode())
    write_atomically(out / MANIFEST, manifest)
    _sweep(out)


def _sweep(out: Path) -> None:
    """Remove what only unfinished calls need. Whoever waits for the lock still finds the manifest."""
    sweep(out, "*/.*.part", ".*.part")
    shutil.rmtree(out / MARKS, ignore_errors=True)
    for name in (UNFINISHED, LOCK):
        (out / name).unlink(missing_ok=True)


def _refuse_torn(shards: Sequence[Sequence[tuple[str, str, int]]], out: Path) -> None:
    """Marks can outlive a power cut that files do not."""
    torn = [number for number, shard in enumerate(shards) if not all(is_whole_png(out / file) for file, _, _ in shard)]
    for number in torn:
        (out / MARKS / f"{number:06d}").unlink()
    if torn:
        raise UserError(
            f"Images in {out} are missing or cut short, though they were written; run the same command again to make them anew."
        )


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


def _watched(generator: Generator) -> Watched | None:
    backends = [circuit.backend for circuit in generator.circuits]
    return backends[0] if backends and isinstance(backends[0], Watched) else None


def _deviation(loaded: Loaded, watched: Watched, rows: Sequence[tuple[str, str, int]], out: Path) -> dict[str, Any]:
    """How far a backend's readouts and the images in `out` lie from those of the exact simulator."""
    exact = copy.deepcopy(loaded.generator)
    for circuit in exact.circuits:
        circuit.backend = simulate
    images = np.stack([read_png(out / file) for file, _, _ in rows]).astype(int)
    apart = np.abs(np.stack(list(images_of(replace(loaded, generator=exact), rows)[1])) - images)
    return {
        "backend": loaded.backend,
        "readouts": {"largest": watched.largest, "mean": watched.mean},
        "grey_levels": {"largest": int(apart.max()), "mean": float(apart.mean())},
    }


@contextmanager
def _turn(out: Path, manifest: bytes) -> Iterator[None]:
    """Hold a folder that several processes write to for as long as it takes to look and to decide.

    Raises:
        UserError: it holds anything but this very call's images; it is left as it is.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another `out`.")
    _refuse_others(out, manifest)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        _refuse_others(out, manifest)
        yield


def _refuse_others(out: Path, manifest: bytes) -> None:
    lists = [out / name for name in (MANIFEST, UNFINISHED) if (out / name).exists()]
    if any(path.read_bytes() != manifest for path in lists) or (not lists and others(out, LOCK, UNFINISHED)):
        raise UserError(f"{out} holds other images or files; choose another `out`.")


def _claim(out: Path, manifest: bytes) -> bool:
    """Say whose folder it is.

    Returns:
        Whether all images are there already.
    """
    if (out / MANIFEST).exists():
        _sweep(out)
        return True
    write_atomically(out / UNFINISHED, manifest)
    return False
