"""Pools of generated images: made once for a cell, checked for copies of test images, and scored by the filters of the uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from hqgan.experiments.folder import write_json
from hqgan.experiments.splits import refuse_copies
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import work
from hqgan.experiments.study.cells import Cell, Settings
from hqgan.experiments.study.sources import FITTED, Pool, SourceInfo, from_folder, from_run, save, scores_file
from hqgan.experiments.study.uses import USES
from hqgan.io.images import labelled_rows, write_png
from hqgan.reporter import Reporter
from hqgan.sampling.load import load
from hqgan.types import LabelledImages


def with_sources(
    tasks: Sequence[work.Task], cell: Cell, settings: Settings, out: Path, reporter: Reporter
) -> Iterator[work.Task]:
    """The tasks with the hashes of their sources; a pool is made where a task still needs it.

    Raises:
        UserError: a generated image is a copy of a test image.
    """
    hashes: dict[str | None, str | None] = {None: None}
    scorers: dict[str, Callable[[LabelledImages], np.ndarray]] = {}
    for name in dict.fromkeys(task.arm.generator for task in tasks if task.arm.generator):
        note = cell.arms(out) / f"{name}.json"
        missing = any(work.finished(task) is None for task in tasks if task.arm.generator == name)
        if not missing and note.exists() and _is_current(name, cell, out, about := read_source(note)):
            hashes[name] = about.sha256
            continue
        reporter.message(f"generating images: {name}, {cell.name}")
        pool = _make_pool(name, cell, out)
        data, test = cell.data, cell.split.test
        names = [f"{data.classes[c]} number {i}" for i, c in enumerate(pool.labels)]
        refuse_copies(pool.images, names, data.images[test], data.files[test], f"the image by {name},")
        folder = cell.pools(out) / name
        save(pool, folder)
        for use in settings.uses:
            if (prepare := USES[use].score) is not None:
                if use not in scorers:
                    scorers[use] = prepare(cell, settings, reporter)
                np.save(scores_file(folder, use), scorers[use](pool))
        _picture(pool, cell, out, name)
        note.parent.mkdir(parents=True, exist_ok=True)
        write_json(note, asdict(pool.about))
        hashes[name] = pool.about.sha256
    for task in tasks:
        yield replace(task, source=hashes[task.arm.generator])


def read_source(path: Path) -> SourceInfo:
    """The description of a source that `with_sources` wrote."""
    return SourceInfo(**json.loads(path.read_text()))


def _is_current(name: str, cell: Cell, out: Path, about: SourceInfo) -> bool:
    """Whether finished arms used the images that the source would give now, as far as that can be seen without making them."""
    if name in FITTED:
        return True
    if name in cell.folders:
        return False
    return load(cell.run(out, name)).checkpoint_hash == about.sha256


def _make_pool(name: str, cell: Cell, out: Path) -> Pool:
    data = cell.data
    counts = np.bincount(data.labels[cell.split.train], minlength=len(data.classes))
    sizes = plans.pool_sizes(counts, cell.rare)
    if name in FITTED:
        return FITTED[name](name, sizes, data, cell.split, cell.seed)
    if name in cell.folders:
        return from_folder(name, cell.folders[name], sizes, data, cell.rare)
    return from_run(name, cell.run(out, name), sizes, data, cell.split, cell.seed)


def _picture(pool: Pool, cell: Cell, out: Path, name: str) -> None:
    """Write a picture of the first twelve images of each class, for the report."""
    first = {title: np.flatnonzero(pool.labels == c)[:12] for c, title in enumerate(cell.data.classes)}
    rows = [(title, np.asarray(pool.images[mine])) for title, mine in first.items() if len(mine)]
    folder = out / "pictures"
    folder.mkdir(exist_ok=True)
    write_png(folder / f"{name}-{cell.name}.png", labelled_rows(rows))


def sources_of(cells: Sequence[Cell], names: Sequence[str], out: Path) -> dict[tuple[int, float], list[SourceInfo]]:
    """The descriptions of the sources of images, by seed and fraction."""
    return {
        (cell.seed, cell.fraction): [read_source(cell.arms(out) / f"{name}.json") for name in names] for cell in cells
    }
