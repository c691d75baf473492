"""Measures one run of a comparison on the test part of its split: distances, the same on halves of the lesions, curves, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.circuits.backends.registry import backend_of
from hqgan.data import open_configured
from hqgan.evaluation.extractors import extractors_of
from hqgan.evaluation.verdict import CHECKED
from hqgan.experiments.compare.contestants import Contestant, Settings, config_of, contestants_of
from hqgan.experiments.compare.results import CurvePoint, RunResult
from hqgan.experiments.splits import checked_split, parts_hash
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics import distances, perceptual
from hqgan.metrics.evaluator import Comparison, Evaluator, Sizes
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.pretrained import PretrainedNetworks
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.models.build import figures
from hqgan.reporter import Reporter
from hqgan.run.log import read_lines, read_run
from hqgan.runtime.threads import one_thread
from hqgan.sampling.images import latent_seed, make_images, matched_images
from hqgan.sampling.load import Loaded, load, on_backend
from hqgan.types import ImageData, LabelledImages, Split
from hqgan.wording import plural

EXTRACTORS = CHECKED
"""Extractors whose kernel distance ranks corrupted images correctly. A contestant's distance is the mean over them, normalised:
0 is real vs. real, 1 the PCA-Gaussian baseline."""
HALVES = 100
"""Random halves of the test lesions on which distances are measured again."""
COLUMNS = 2
"""Images of each class in the picture."""
VERSION = 1
"""Version of what is measured; stored results of another version are not used."""


@dataclass(frozen=True)
class Cell:
    """One seed of one data set: the split of every contestant's run, and the evaluator that measures all of them.

    Attributes:
        data: the data set.
        split: of this seed.
        seed: the seed.
        reporter: receives messages and progress.
        borrowed: networks trained elsewhere, for the metrics that need them.
        images: number of test images that are compared; None for all.
    """

    data: ImageData
    split: Split
    seed: int
    reporter: Reporter
    borrowed: PretrainedNetworks | None
    images: int | None

    @cached_property
    def extractors(self) -> list[FeatureExtractor]:
        """Feature extractors: trained on the training part, and the borrowed ones."""
        return extractors_of(self.data, self.split, self.reporter) + (self.borrowed.extractors if self.borrowed else [])

    @cached_property
    def evaluator(self) -> Evaluator:
        """Compares generated images with the test part."""
        data, test, train = self.data, self.split.test, self.split.train
        # A few images are too few for results by class.
        few = None if self.images is None else Sizes(self.images, np.zeros(len(data.classes), np.int64))
        sides = data.at(test), data.at(train)
        return Evaluator(self.extractors, *sides, data.classes, seed=self.seed, sizes=few, reporter=self.reporter)

    @cached_property
    def test_part(self) -> str:
        """Hash of the test part; equal for all seeds if the publisher's split is used."""
        return parts_hash(self.data, self.split.test)

    @cached_property
    def halves(self) -> list[np.ndarray]:
        """Positions among the evaluator's real images: all images of a random half of their lesions, `HALVES` times.

        Seeds that share a test part share its halves.
        """
        groups = self.data.groups[self.split.test[self.evaluator.rows]]
        known, lesion = np.unique(groups, return_inverse=True)
        rng = np.random.default_rng(int(self.test_part[:12], 16))
        chosen = [rng.permutation(len(known))[: len(known) // 2] for _ in range(HALVES)]
        return [np.flatnonzero(np.isin(lesion, half)) for half in chosen]

    @cached_property
    def key(self) -> dict[str, Any]:
        """Everything that decides a result, besides the run; stored beside it, and compared before it is used again."""
        return {
            "version": VERSION,
            "seed": self.seed,
            "images": self.images,
            "fingerprint": self.data.fingerprint,
            "train": parts_hash(self.data, self.split.train),
            "test": self.test_part,
            "extractors": {one.name: one.hash for one in self.extractors},
            "lpips": self.borrowed is not None and self.borrowed.lpips is not None,
        }


def cell_of(path: str, seed: int, settings: Settings, borrowed: PretrainedNetworks | None, reporter: Reporter) -> Cell:
    """The data and the split of a seed, checked for leaks."""
    config = config_of(contestants_of(settings)[0], path, seed, settings, None).data
    data = open_configured(config, reporter)
    return Cell(data, checked_split(data, seed, config.fraction), seed, reporter, borrowed, settings.images)


def measure(contestant: Contestant, run: Path, cell: Cell) -> RunResult:
    """Measure one run.

    Args:
        contestant: whose run it is, and the backend of its circuits.
        run: folder of the run.
        cell: seed and data.
    """
    loaded = _loaded(contestant, run, cell)
    evaluator, data, test, train = cell.evaluator, cell.data, cell.split.test, cell.split.train
    images = matched_images(loaded.generator, data.classes, evaluator.labels, cell.seed, cell.reporter)
    rows = evaluator(images, evaluator.labels)
    if cell.borrowed is not None:
        made = LabelledImages(images, evaluator.labels)
        compared = Comparison(made, data.at(test), data.at(train), data.classes, cell.seed)
        rows += perceptual.rows(cell.borrowed, compared)
    sizes = figures(loaded.config, len(data.classes))
    timing = read_lines(run / "timing.jsonl")
    return RunResult(
        name=contestant.name,
        preset=contestant.preset,
        seed=cell.seed,
        checkpoint_sha256=loaded.checkpoint_hash,
        parameters=sizes["generator_parameters"],
        quantum_parameters=sizes["quantum_parameters"],
        critic_parameters=sizes["critic_parameters"],
        images=int(loaded.values["images"]),
        epochs=loaded.values["images"] / len(train),
        seconds=timing[-1]["seconds"],
        images_per_second=float(np.median([r for line in timing if (r := line["images_per_second"])])),
        threads=read_run(run).get("machine", {}).get("threads"),
        n=evaluator.n,
        test_part=cell.test_part,
        distances=distances_of(rows),
        halves=_halves(images, cell, rows),
        curve=[] if contestant.backend != "statevector" else curve(run),
        rows=rows,
        private=loaded.config.private,
    )


def foreseen(cell: Cell) -> str | None:
    """Why no distance can be measured in a cell, with the number of images that it takes; None where one can."""
    test = cell.data.at(cell.split.test)
    rows = _headline(cell.evaluator(test.images, test.labels))
    if any(row.normalised is not None for row in rows):
        return None
    needed = [n for row in rows if (n := cell.evaluator.images_needed("kd", str(row.extractor))) is not None]
    why = f"with {plural(cell.evaluator.n, 'test image')} the simple baseline is not clearly farther than real images"
    if needed:
        return f"no distance will be measured on {cell.data.name}: {why}; about {min(needed):,} of them are needed"
    return f"no distance will be measured on {cell.data.name}: {next((row.reason for row in rows if row.reason), why)}"


def distances_of(rows: Sequence[MetricRow]) -> dict[str, float]:
    """Normalised kernel distance over all classes by extractor of `EXTRACTORS`, without those that cannot be normalised."""
    return {str(row.extractor): row.normalised for row in _headline(rows) if row.normalised is not None}


def curve(run: Path) -> list[CurvePoint]:
    """Distances on the validation part during training."""
    timing = read_lines(run / "timing.jsonl")
    images, seconds = ([line[key] for line in timing] for key in ("images", "seconds"))
    return [
        CurvePoint(
            images=line["images"],
            seconds=float(np.interp(line["images"], images, seconds)),
            distances=distances_of(rows_from_json(line["rows"])),
        )
        for line in read_lines(run / "metrics.jsonl")
        if line["kind"] == "evaluate"
    ]


def _headline(rows: Sequence[MetricRow]) -> list[MetricRow]:
    return [r for r in rows if r.class_name is None and r.extractor in EXTRACTORS and r.distance == "kd"]


def _halves(images: np.ndarray, cell: Cell, rows: Sequence[MetricRow]) -> dict[str, list[float]]:
    """By extractor, the normalised distance between each half of the test lesions and as many generated images.

    All contestants of a seed share the halves, so that differences between them are paired. With half of the lesions left out,
    the deviation among halves estimates that of the whole from the truth (delete-d jackknife, Shao & Wu 1989).
    """
    scale = {
        str(r.extractor): (r.real_reference, r.baseline)
        for r in _headline(rows)
        if r.normalised is not None and r.real_reference is not None and r.baseline is not None
    }
    found = {}
    with one_thread():
        for name, (made, real) in cell.evaluator.features(images, cell.evaluator.labels, scale).items():
            reference, baseline = scale[name]
            kernels = [distances.gram(*pair) for pair in ((made, made), (real, real), (made, real))]
            values = [distances.mmd2(*(k[np.ix_(i, i)] for k in kernels)) for i in cell.halves]
            found[name] = ((np.array(values) - reference) / (baseline - reference)).tolist()
    return found


def _loaded(contestant: Contestant, run: Path, cell: Cell) -> Loaded:
    """The run of a contestant, with its circuits on the contestant's backend."""
    loaded = load(run)
    if contestant.backend == "statevector":
        return loaded
    backend = backend_of(contestant.backend, shots=contestant.shots, seed=cell.seed)
    return on_backend(loaded, backend, contestant.name.partition("@")[2])


def picture(contestants: Sequence[Contestant], runs: Sequence[Path], cell: Cell, path: Path) -> None:
    """Write a picture with a row for each contestant: the first images of every class, from the same latent seeds for all."""
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
