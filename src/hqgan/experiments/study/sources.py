"""Where generated images come from: a trained run, a folder, or a simple model that the study fits itself.

The pool of a source is made once for a cell, checked for copies of test images, and scored by the filters of the uses. To add
a model that is fitted, write a function of the form `Fit` and add its row to `FITTED`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hqgan.errors import UserError
from hqgan.experiments.folder import write_json
from hqgan.experiments.splits import check_run, refuse_copies
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import work
from hqgan.experiments.study.results import SourceRow
from hqgan.experiments.study.uses import USES
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.reporter import Reporter
from hqgan.sampling.image_folder import read_folder
from hqgan.sampling.images import matched_images
from hqgan.sampling.load import load
from hqgan.types import LabelledImages
from hqgan.wording import listed

if TYPE_CHECKING:
    from hqgan.experiments.study.cells import Cell, Settings


@dataclass(frozen=True)
class SourceInfo:
    """What is known about a source of images for one seed.

    Attributes:
        name: of the source.
        sha256: hex hash of what makes the images, or of the images themselves.
        parameters: of the generator; None if not known.
        images_shown: real images shown in training, repeats counted; None if not known.
        epochs: the same in passes over the training part; None if not known.
        verified: whether the source is known to have seen the training part only.
        private: whether it was trained with differential privacy.
    """

    name: str
    sha256: str
    parameters: int | None = None
    images_shown: int | None = None
    epochs: float | None = None
    verified: bool = False
    private: bool = False


@dataclass(frozen=True)
class Pool(LabelledImages):
    """Generated images of one source and seed, class by class, in the order in which they are used."""

    about: SourceInfo


def _pca_gaussian(name: str, sizes: np.ndarray, cell: Cell) -> Pool:
    """The simple baseline: images of a Gaussian in the space of each class's principal components; see `Fit`."""
    data, train = cell.data, cell.split.train
    sampler = fit_pca_gaussian(data.images[train], data.labels[train], len(data.classes))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    arrays = (sampler.mean, sampler.components, sampler.means, sampler.roots)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
    parameters = int(sum(a.size for a in arrays))
    about = SourceInfo(name, digest, parameters, len(train), 1.0, verified=True)
    return Pool(sampler.sample(labels, cell.seed), labels, about)


Fit = Callable[[str, np.ndarray, "Cell"], Pool]
"""From the source's name, the images (C,) to make by class and the cell to a pool. It may use the training part of the cell's
split only."""

GAUSSIAN = "pca-gaussian"

FITTED: dict[str, Fit] = {GAUSSIAN: _pca_gaussian}
"""Sources that are fitted to the training part in seconds, by name."""


def _from_folder(name: str, sizes: np.ndarray, cell: Cell) -> Pool:
    """The first images of each class in a given folder. Nothing shows which real images their generator has seen.

    Raises:
        UserError: there is no image of a class that the study fills.
    """
    path, classes = cell.folders[name], cell.data.classes
    (images, labels), _ = read_folder(path, cell.data)
    if lacking := [classes[c] for c in cell.rare if not (labels == c).any()]:
        raise UserError(
            f"{path} has no image of {listed(lacking)}, which this study fills; add some, or choose `fill`."
        )
    kept = np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(sizes)]).astype(np.int64)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return Pool(images[kept], labels[kept], SourceInfo(name, digest))


def _from_run(name: str, sizes: np.ndarray, cell: Cell, reporter: Reporter) -> Pool:
    """Images of a run's averaged generator, the same that `hqgan generate --seed SEED` makes.

    Raises:
        UserError: the run was trained on other data or another split.
    """
    check_run(cell.run(name), cell.data, cell.split)
    loaded = load(cell.run(name))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parameters = sum(p.numel() for p in loaded.generator.parameters())
    shown = int(loaded.values["images"])
    epochs, private = shown / len(cell.split.train), loaded.config.private
    about = SourceInfo(name, loaded.checkpoint_hash, parameters, shown, epochs, verified=True, private=private)
    return Pool(matched_images(loaded.generator, cell.data.classes, labels, cell.seed, reporter), labels, about)


def with_sources(tasks: Sequence[work.Task], cell: Cell, settings: Settings, reporter: Reporter) -> Iterator[work.Task]:
    """The tasks with the hashes of their sources; a pool is made where a task still needs it.

    Raises:
        UserError: a generated image is a copy of a test image.
    """
    hashes: dict[str | None, str | None] = {None: None}
    scorers: dict[str, Callable[[LabelledImages], np.ndarray]] = {}
    for name in dict.fromkeys(task.arm.generator for task in tasks if task.arm.generator):
        note = cell.arms / f"{name}.json"
        missing = any(work.finished(task) is None for task in tasks if task.arm.generator == name)
        if not missing and note.exists() and _is_current(name, cell, about := read_source(note)):
            hashes[name] = about.sha256
            continue
        reporter.message(f"generating images: {name}, {cell.name}")
        pool = _make_pool(name, cell, reporter)
        data, test = cell.data, cell.split.test
        names = [f"{data.classes[c]} number {i}" for i, c in enumerate(pool.labels)]
        refuse_copies(pool.images, names, data.images[test], data.files[test], f"the image by {name},")
        folder = cell.pools / name
        work.save_pool(pool, folder)
        for use in settings.uses:
            if (prepare := USES[use].score) is not None:
                if use not in scorers:
                    scorers[use] = prepare(cell, settings, reporter)
                np.save(work.scores_file(folder, use), scorers[use](pool))
        _picture(pool, cell, name)
        note.parent.mkdir(parents=True, exist_ok=True)
        write_json(note, asdict(pool.about))
        hashes[name] = pool.about.sha256
    for task in tasks:
        yield replace(task, source=hashes[task.arm.generator])


def read_source(path: Path) -> SourceInfo:
    """The description of a source that `with_sources` wrote."""
    return SourceInfo(**json.loads(path.read_text()))


def _is_current(name: str, cell: Cell, about: SourceInfo) -> bool:
    """Whether finished arms used the images that the source would give now, as far as that can be seen without making them."""
    if name in FITTED:
        return True
    if name in cell.folders:
        return False
    return load(cell.run(name)).checkpoint_hash == about.sha256


def _make_pool(name: str, cell: Cell, reporter: Reporter) -> Pool:
    data = cell.data
    counts = np.bincount(data.labels[cell.split.train], minlength=len(data.classes))
    sizes = plans.pool_sizes(counts, cell.rare)
    if name in FITTED:
        return FITTED[name](name, sizes, cell)
    return _from_folder(name, sizes, cell) if name in cell.folders else _from_run(name, sizes, cell, reporter)


def _picture(pool: Pool, cell: Cell, name: str) -> None:
    """Write a picture of the first twelve images of each class, for the report."""
    first = {title: np.flatnonzero(pool.labels == c)[:12] for c, title in enumerate(cell.data.classes)}
    rows = [(title, np.asarray(pool.images[mine])) for title, mine in first.items() if len(mine)]
    folder = cell.out / "pictures"
    folder.mkdir(exist_ok=True)
    write_png(folder / f"{name}-{cell.name}.png", labelled_rows(rows))


def source_rows(cells: Sequence[Cell], names: Sequence[str]) -> list[SourceRow]:
    """The sources of images, each over all seeds and fractions."""
    rows = []
    for name in names:
        own = {f"seed {c.seed}, {c.fraction:.0%}": read_source(c.arms / f"{name}.json") for c in cells}
        over_all = {
            "sha256": {place: one.sha256 for place, one in own.items()},
            "verified": all(one.verified for one in own.values()),
            "private": any(one.private for one in own.values()),
        }
        rows.append(SourceRow(**vars(next(iter(own.values()))) | over_all))
    return rows
