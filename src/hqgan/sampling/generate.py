"""From a checkpoint to images: PNG folders by class, a manifest, a contact sheet and a model card."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.circuits.backends.registry import Watched
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError
from hqgan.io.files import csv_text, others, sweep, write_atomically
from hqgan.io.images import is_whole_png, labelled_rows, read_png, write_png
from hqgan.io.lock import LOCK, locked
from hqgan.metrics.record import MetricRow
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.processes import ALL, Shard
from hqgan.sampling.images import BATCH, Numbered, images_of, numbered, stacked, watched_backend
from hqgan.sampling.load import Loaded
from hqgan.sampling.model_card import model_card

SHARD = 32 * BATCH
"""Images of a shard, after each of which a stopped call can continue."""

MANIFEST = "manifest.csv"
UNFINISHED = f"{MANIFEST}.unfinished"
MARKS = ".shards"
"""Folder of empty files, one for each complete shard."""
BACKEND = "backend.json"


def generate(
    loaded: Loaded,
    counts: Mapping[str, int],
    out: Path,
    seed: int = 0,
    metrics: Sequence[MetricRow] = (),
    reporter: Reporter = SILENT,
    dropped: Collection[int] = (),
    share: Shard = ALL,
) -> Path:
    """Write images and what belongs to them.

    `out` gets ``<class>/<class>-00000.png``, ``manifest.csv`` (file, class, seed, latent seed, checkpoint hash),
    ``contact-sheet.png`` and ``MODEL_CARD.md``. The same seed gives the same bytes, and image number i of a class is the
    same however many are asked for.
    They are written in shards of `SHARD`; a call that was stopped continues with the first shard that is not complete, and
    several processes divide the shards among them. The one that ends last writes the rest.

    On another backend there is ``backend.json`` too: how far readouts (radius 1) and images (grey levels of 256) lie from those
    of the exact simulator, at most and on average.

    Args:
        loaded: from `load`, or from `on_backend`.
        counts: images by class name.
        out: a new or empty folder, or one that an equal call wrote or was writing.
        seed: of the noise.
        metrics: rows for the model card.
        reporter: receives how many images are written, as task ``generating``.
        dropped: latent seeds of images to leave out (`read_dropped`); the next numbers take their places.
        share: which shards are this process's.

    Returns:
        The manifest's path.

    Raises:
        UserError: `out` holds anything else; it is left as it is.
    """
    rows = numbered(loaded.classes, counts, seed, dropped)
    more = {} if loaded.truncation == 1 else {"truncation": loaded.truncation}
    manifest = manifest_of(rows, loaded, seed, **more)
    watched = watched_backend(loaded.generator)
    if watched and share.world > 1:
        raise UserError(f"{loaded.backend} runs in one process; start hqgan without torchrun.")
    with _turn(out, manifest):
        if not (out / MANIFEST).exists():
            write_atomically(out / UNFINISHED, manifest)
        else:
            _sweep(out)
            if share.world > 1:
                return out / MANIFEST  # others were faster
    starts = range(0, len(rows), SHARD)
    shards = {out / MARKS / f"{start // SHARD:06d}": rows[start : start + SHARD] for start in starts}
    mine, done = share.rows(list(shards.items())), 0
    total = sum(len(shard) for _, shard in mine)
    if watched:
        reporter.message(f"{loaded.backend} runs the circuits of up to {BATCH} images in one job")
    reporter.progress("generating", 0, total)
    for mark, shard in mine:
        if watched or not mark.exists():
            for (file, _, _), image in zip(shard, images_of(loaded, shard)[1], strict=True):
                (out / file).parent.mkdir(exist_ok=True)
                write_png(out / file, image)
                done += 1
                reporter.progress("generating", done, total)
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
        else:
            done += len(shard)
    if watched:
        apart = _deviation(loaded, watched, rows, out, reporter)
        write_atomically(out / BACKEND, (json.dumps(apart, indent=1) + "\n").encode())
    with _turn(out, manifest):
        if all(mark.exists() for mark in shards):
            _refuse_torn(shards, out)
            _finish(loaded, rows, out, seed, metrics, manifest)
    return out / MANIFEST


def manifest_of(rows: Sequence[Numbered], loaded: Loaded, seed: int, **more: Any) -> bytes:
    """The manifest of images that `numbered` lists, as CSV; `more` are columns that are the same for all."""
    head = ["file", "class", "seed", "latent_seed", "checkpoint_sha256", "backend", *more]
    facts = (loaded.checkpoint_hash, loaded.backend, *more.values())
    return csv_text(head, [(file, name, seed, latent, *facts) for file, name, latent in rows]).encode()


def _finish(
    loaded: Loaded, rows: Sequence[Numbered], out: Path, seed: int, metrics: Sequence[MetricRow], manifest: bytes
) -> None:
    """Write what belongs to the images once they are all there; the manifest last."""
    first = {name: list(islice(own, 8)) for name, own in groupby(rows, itemgetter(1))}
    sheet = [(name, np.stack([read_png(out / file) for file, _, _ in own])) for name, own in first.items()]
    title = f"{loaded.config.preset} after {loaded.values['images']:,} images, seed {seed}"
    write_png(out / "contact-sheet.png", labelled_rows(sheet, scale=2, title=title))
    write_atomically(out / "MODEL_CARD.md", model_card(loaded, metrics).encode())
    write_atomically(out / MANIFEST, manifest)
    _sweep(out)


def _sweep(out: Path) -> None:
    """Remove what only unfinished calls need. A process that waits for the lock still finds the manifest."""
    sweep(out, "*/.*.part", ".*.part")
    shutil.rmtree(out / MARKS, ignore_errors=True)
    for name in (UNFINISHED, LOCK):
        (out / name).unlink(missing_ok=True)


def _refuse_torn(shards: Mapping[Path, Sequence[Numbered]], out: Path) -> None:
    """Refuse shards with missing or cut-off images: after a power cut the mark of a shard can be there and its images not."""
    torn = [mark for mark, shard in shards.items() if not all(is_whole_png(out / file) for file, _, _ in shard)]
    for mark in torn:
        mark.unlink()
    if torn:
        raise UserError(
            f"Images in {out} are missing or cut short, though they were written; run the same command to make them again."
        )


def _deviation(
    loaded: Loaded, watched: Watched, rows: Sequence[Numbered], out: Path, reporter: Reporter
) -> dict[str, Any]:
    """How far a backend's readouts and the images in `out` lie from those of the exact simulator."""
    exact = copy.deepcopy(loaded.generator)
    for circuit in exact.circuits:
        circuit.backend = simulate
    images = np.stack([read_png(out / file) for file, _, _ in rows]).astype(int)
    exactly = images_of(replace(loaded, generator=exact), rows)[1]
    apart = np.abs(stacked(exactly, len(rows), reporter, "generating exactly") - images)
    return {
        "backend": loaded.backend,
        "readouts": {"largest": watched.largest, "mean": watched.mean},
        "grey_levels": {"largest": int(apart.max()), "mean": float(apart.mean())},
    }


@contextmanager
def _turn(out: Path, manifest: bytes) -> Iterator[None]:
    """Lock a folder that several processes write to, while it is checked and claimed.

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
