"""Pools of generated images: made once for a cell, checked for copies of test images, evaluation_subset by the filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.evaluation.evaluate import views_of
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import classifiers, leaks, sources, work
from hqgan.experiments.study.cells import Cell, Settings, cell_name, run_path
from hqgan.experiments.study.sources import GAUSSIAN, Pool
from hqgan.experiments.study.work import Task
from hqgan.io.files import write_atomically
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics import prdc as manifold
from hqgan.metrics.extractors.features import extract
from hqgan.sampling.load import load


def with_sources(
    tasks: Sequence[Task], cell: Cell, settings: Settings, out: Path, say: Callable[[str], None]
) -> Iterator[Task]:
    """The tasks with their sources' hashes; pools are made where an arm still needs them."""
    hashes: dict[str, str] = {}
    names = list(dict.fromkeys(task.arm.generator for task in tasks if task.arm.generator))
    judge: Callable[[Pool], tuple[np.ndarray, np.ndarray]] | None = None
    for name in names:
        note = out / "arms" / cell_name(cell) / f"{name}.json"
        own = [task for task in tasks if task.arm.generator == name]
        missing = any(work.finished(task) is None for task in own)
        if not missing and note.exists() and _still(name, cell, out, json.loads(note.read_text())):
            hashes[name] = json.loads(note.read_text())["sha256"]
            continue
        say(f"images by {name}, {cell_name(cell)}")
        pool = _make_pool(name, cell, out)
        data, test = cell.data, cell.split.test
        labels = pool.labels
        leaks.refuse_copies(
            pool.images,
            [f"{data.classes[c]} number {i}" for i, c in enumerate(labels)],
            data.images[test],
            data.files[test].tolist(),
            f"the image by {name},",
        )
        stem = pools_of(out, cell) / name
        sources.save(pool, stem)
        if {"agreed", "dense"} & set(settings.uses):
            judge = judge or _filters(cell, settings, say)
            for what, values in zip(("agree", "density"), judge(pool), strict=True):
                np.save(stem.with_name(f"{name}-{what}.npy"), values)
        _picture(pool, cell, out, name)
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, (json.dumps(pool.about, indent=1) + "\n").encode())
        hashes[name] = pool.about["sha256"]
    for task in tasks:
        yield task if task.arm.generator is None else replace(task, source=hashes[task.arm.generator])


def pools_of(out: Path, cell: Cell) -> Path:
    """The folder of a cell's pools."""
    return out / "pools" / cell_name(cell)


def _still(name: str, cell: Cell, out: Path, note: dict[str, Any]) -> bool:
    """Whether a run's newest checkpoint is the one that a finished arm's images came from."""
    if name == GAUSSIAN:
        return True
    if name in cell.folders:
        return False
    return load(run_path(out, cell, name)).checkpoint_hash == note["sha256"]


def _make_pool(name: str, cell: Cell, out: Path) -> Pool:
    data = cell.data
    counts = np.bincount(data.labels[cell.split.train], minlength=len(data.classes))
    sizes = plans.pool_sizes(counts, cell.rare)
    if name == GAUSSIAN:
        return sources.from_gaussian(sizes, data, cell.split, cell.seed)
    if name in cell.folders:
        return sources.from_folder(name, cell.folders[name], sizes, data, cell.rare)
    return sources.from_run(name, run_path(out, cell, name), sizes, data, cell.split, cell.seed)


def _filters(
    cell: Cell, settings: Settings, say: Callable[[str], None]
) -> Callable[[Pool], tuple[np.ndarray, np.ndarray]]:
    """What judges single generated images, from training images only: agreement of a classifier, and density."""
    data, steps = cell.data, settings.steps or classifiers.RECIPES["small"].steps
    say(f"training the classifier that filters, {cell_name(cell)}")
    network = work.filter_classifier(data, cell.split, cell.seed, steps)
    view = [v for v in views_of(data, cell.split, say) if v.name == "derm"]
    train = cell.split.train
    real, labels = extract(view, np.asarray(data.images[train]))["derm"], data.labels[train]

    def judge(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
        agree = classifiers.probabilities(network, pool.images).argmax(1) == pool.labels
        features = extract(view, np.asarray(pool.images))["derm"]
        density = np.zeros(len(pool.labels))
        for c in np.unique(pool.labels):
            mine = pool.labels == c
            density[mine] = manifold.depth(real[labels == c], features[mine])
        return agree, density

    return judge


def _picture(pool: Pool, cell: Cell, out: Path, name: str, columns: int = 12) -> None:
    """The first images of each class, for the page."""
    rows = []
    for c, title in enumerate(cell.data.classes):
        mine = np.flatnonzero(pool.labels == c)[:columns]
        if len(mine):
            rows.append((title, np.asarray(pool.images[mine])))
    folder = out / "pictures"
    folder.mkdir(exist_ok=True)
    write_png(folder / f"{name}-{cell_name(cell)}.png", labelled_rows(rows))


def sources_about(cells: Sequence[Cell], names: Sequence[str], out: Path) -> list[dict[str, Any]]:
    """What is known of each cell's sources of images."""
    found = []
    for cell in cells:
        for path in (out / "arms" / cell_name(cell) / f"{name}.json" for name in names):
            found.append({"seed": cell.seed, "fraction": cell.fraction, **json.loads(path.read_text())})
    return found
