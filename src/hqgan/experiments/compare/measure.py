"""One run of a comparison against the test part of its split: distances with their halves by lesion, curves, sizes, times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hqgan.circuits.backends.registry import backend_of
from hqgan.data import check_leaks, open_configured, split_of
from hqgan.evaluation.evaluate import matched_images, views_of
from hqgan.experiments.compare.contestants import Contestant, Result, Settings, config_of, contestants_of
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics import distances, perceptual
from hqgan.metrics.evaluator import Evaluator
from hqgan.metrics.extractors.features import FeatureExtractor
from hqgan.metrics.extractors.pretrained import Borrowed
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.models.build import figures
from hqgan.run.log import read_lines, read_run
from hqgan.runtime.threads import one_thread
from hqgan.sampling.generate import latent_seed, make_images
from hqgan.sampling.load import Loaded, load, on_backend
from hqgan.types import ImageData, Split

VIEWS = ("derm", "early", "middle", "untrained")
"""Views whose kernel distance ranks planted degradations rightly (docs/results/extractors.md). A contestant's distance is the
mean of theirs, normalised: 0 is real against real, 1 the PCA-Gaussian."""
HALVES = 100
"""Halves of the test lesions that a distance is taken again on."""
COLUMNS = 2
"""Images of each class in the picture."""
VERSION = 1
"""Of what is measured; results of another are not taken again."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Cell:
    """One seed of one data set: the split that every contestant's run of this seed has, and the judge of them all."""

    data: ImageData
    split: Split
    seed: int
    say: Say
    borrowed: Borrowed | None
    images: int | None

    @cached_property
    def views(self) -> list[FeatureExtractor]:
        """Trained on the training part, or borrowed."""
        return views_of(self.data, self.split, self.say) + (self.borrowed.views if self.borrowed else [])

    @cached_property
    def judge(self) -> Evaluator:
        """On the test part."""
        data, test, train = self.data, self.split.test, self.split.train
        sides = (data.images[test], data.labels[test], data.images[train], data.labels[train])
        # Of few images nothing can be said by class.
        none = None if self.images is None else np.zeros(len(data.classes), np.int64)
        return Evaluator(self.views, *sides, data.classes, seed=self.seed, n=self.images, per_class=none)

    @cached_property
    def test_part(self) -> str:
        """Hex SHA-256 of the test part's files and lesions: equal for all seeds where the publisher split."""
        return _hash_of(self.data, self.split.test)

    @cached_property
    def halves(self) -> list[np.ndarray]:
        """Places among the judge's real images: all of a random half of their lesions, again and again.

        Seeds that share a test part share its halves.
        """
        groups = self.data.groups[self.split.test[self.judge.rows]]
        known, lesion = np.unique(groups, return_inverse=True)
        rng = np.random.default_rng(int(self.test_part[:12], 16))
        chosen = [rng.permutation(len(known))[: len(known) // 2] for _ in range(HALVES)]
        return [np.flatnonzero(np.isin(lesion, half)) for half in chosen]

    @cached_property
    def key(self) -> Result:
        """What a kept result has to agree with."""
        return {
            "version": VERSION,
            "seed": self.seed,
            "images": self.images,
            "fingerprint": self.data.fingerprint,
            "train": _hash_of(self.data, self.split.train),
            "test": self.test_part,
            "views": {view.name: view.hash for view in self.views},
            "lpips": self.borrowed is not None and self.borrowed.lpips is not None,
        }


def cell_of(
    path: str,
    seed: int,
    settings: Settings,
    borrowed: Borrowed | None,
    say: Say,
    on_data: Callable[[int, int], None] | None,
) -> Cell:
    """A seed's data and split, checked for leaks."""
    config = config_of(contestants_of(settings)[0], path, seed, settings, None).data
    data = open_configured(config, on_data)
    split = split_of(data, seed, config.fraction)
    check_leaks(split, data.groups)
    return Cell(data, split, seed, say, borrowed, settings.images)


def measure(contestant: Contestant, run: Path, cell: Cell) -> Result:
    """What is known of one run.

    Returns:
        ``name``, ``seed``, sizes (``parameters``, ``quantum_parameters``, ``critic_parameters``), ``images`` shown, ``epochs``,
        ``seconds`` of training and ``images_per_second`` (median over the log), ``rows`` of the judge and of
        `hqgan.metrics.perceptual`, ``n`` images compared, ``distances`` by view (see `VIEWS`; those that can be normalised),
        ``halves`` of them, whether the run was ``private``, and ``curve``: points ``{images, seconds, distances}`` on the
        validation part, empty for circuits on a backend, since the run was trained without it.
    """
    loaded = _loaded(contestant, run, cell)
    judge, data, test = cell.judge, cell.data, cell.split.test
    images = matched_images(loaded.generator, data.classes, judge.labels, cell.seed)
    rows = judge(images, judge.labels)
    sizes = figures(loaded.config, len(data.classes))
    timing = read_lines(run / "timing.jsonl")
    rates = [line["images_per_second"] for line in timing if line["images_per_second"]]
    result: Result = {
        "name": contestant.name,
        "preset": contestant.preset,
        "seed": cell.seed,
        "checkpoint_sha256": loaded.checkpoint_hash,
        "parameters": sizes["generator_parameters"],
        "quantum_parameters": sizes["quantum_parameters"],
        "critic_parameters": sizes["critic_parameters"],
        "images": int(loaded.values["images"]),
        "epochs": loaded.values["images"] / len(cell.split.train),
        "seconds": timing[-1]["seconds"],
        "images_per_second": float(np.median(rates)),
        "threads": read_run(run).get("machine", {}).get("threads"),
        "n": judge.n,
        "test_part": cell.test_part,
        "distances": distances_of(rows),
        "halves": _halves(images, cell, rows),
        "private": loaded.config.private,
        "curve": [] if contestant.backend != "statevector" else curve(run),
    }
    if cell.borrowed is not None:
        train = cell.split.train
        real, known = ((data.images[r], data.labels[r]) for r in (test, train))
        rows = rows + perceptual.rows(cell.borrowed, (images, judge.labels), real, known, data.classes, cell.seed)
    return {**result, "rows": [row.as_json() for row in rows]}


def distances_of(rows: Sequence[MetricRow]) -> dict[str, float]:
    """Normalised kernel distance by view of `VIEWS`, all classes together; without those that cannot be normalised."""
    return {str(row.extractor): row.normalised for row in _headline(rows) if row.normalised is not None}


def curve(run: Path) -> list[Result]:
    """Distances on the validation part while a run was trained, against images shown and seconds of training."""
    timing = read_lines(run / "timing.jsonl")
    images, seconds = ([line[key] for line in timing] for key in ("images", "seconds"))
    return [
        {
            "images": line["images"],
            "seconds": float(np.interp(line["images"], images, seconds)),
            "distances": distances_of(rows_from_json(line["rows"])),
        }
        for line in read_lines(run / "metrics.jsonl")
        if line["kind"] == "evaluate"
    ]


def _headline(rows: Sequence[MetricRow]) -> list[MetricRow]:
    return [r for r in rows if r.class_name is None and r.extractor in VIEWS and r.distance == "kd"]


def _halves(images: np.ndarray, cell: Cell, rows: Sequence[MetricRow]) -> dict[str, list[float]]:
    """By view, the normalised distance on each half of the test lesions, against equally many of the generated images.

    All contestants of a seed meet the same halves, so that differences between them are paired. With half of the lesions left
    out, the deviation among halves is that of the whole about the truth (delete-d jackknife, Shao & Wu 1989).
    """
    scale = {
        str(r.extractor): (r.real_reference, r.baseline)
        for r in _headline(rows)
        if r.normalised is not None and r.real_reference is not None and r.baseline is not None
    }
    found = {}
    with one_thread():
        for view, (made, real) in cell.judge.features(images, cell.judge.labels, scale).items():
            reference, baseline = scale[view]
            kernels = [distances.gram(*pair) for pair in ((made, made), (real, real), (made, real))]
            values = [distances.mmd2(*(k[np.ix_(i, i)] for k in kernels)) for i in cell.halves]
            found[view] = ((np.array(values) - reference) / (baseline - reference)).tolist()
    return found


def _loaded(contestant: Contestant, run: Path, cell: Cell) -> Loaded:
    """A contestant's run, its circuits on the contestant's backend."""
    loaded = load(run)
    if contestant.backend == "statevector":
        return loaded
    backend = backend_of(contestant.backend, shots=contestant.shots, seed=cell.seed)
    return on_backend(loaded, backend, contestant.name.partition("@")[2])


def _hash_of(data: ImageData, rows: np.ndarray) -> str:
    return hashlib.sha256(json.dumps([data.files[rows].tolist(), data.groups[rows].tolist()]).encode()).hexdigest()


def picture(contestants: Sequence[Contestant], runs: Sequence[Path], cell: Cell, path: Path) -> None:
    """Write one picture: a row for each contestant, the first images of every class, the same numbers for all."""
    classes = cell.data.classes
    labels = [c for c in range(len(classes)) for _ in range(COLUMNS)]
    seeds = [latent_seed(cell.seed, classes[c], i) for c in range(len(classes)) for i in range(COLUMNS)]
    rows = []
    for one, run in zip(contestants, runs, strict=True):
        generator = _loaded(one, run, cell).generator
        rows.append((one.name, np.stack(list(make_images(generator, labels, seeds)))))
    title = f"{cell.data.name}, seed {cell.seed}; {COLUMNS} images each of {', '.join(classes)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, labelled_rows(rows, scale=2 if cell.data.images.shape[1] == 32 else 1, title=title))
