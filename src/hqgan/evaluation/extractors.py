"""Feature extractors and evaluators for a data set and its split, and the check of the extractors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hqgan import wording
from hqgan.config.sections import ClassSelection
from hqgan.data import ALL_CLASSES, open_data, split_of
from hqgan.data.cache import cache_folder
from hqgan.evaluation.real_images import MOST_HELD_OUT, draw, evaluation_subset
from hqgan.metrics.evaluator import Evaluator
from hqgan.metrics.extractor_check import ExtractorCheck, check_extractors
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.fitted import load_extractors
from hqgan.metrics.record import MetricRow
from hqgan.reporter import SILENT, Reporter
from hqgan.types import ImageData, Split


def extractors_of(data: ImageData, split: Split, reporter: Reporter) -> list[FeatureExtractor]:
    """The feature extractors for a data set's training part, trained now or from the cache."""
    return load_extractors(data, evaluation_subset(split).train, cache_folder(None), reporter)


def build_evaluator(data: ImageData, split: Split, real: np.ndarray, seed: int, reporter: Reporter) -> Evaluator:
    """An evaluator on held-out images.

    Args:
        data: the data set.
        split: its split.
        real: (N,) which images: of the validation side in training, of the test side for results; at most
            `MOST_HELD_OUT` of them.
        seed: of the evaluator's draws.
        reporter: receives messages and progress.
    """
    real, train = draw(real, MOST_HELD_OUT), evaluation_subset(split).train
    return Evaluator(
        extractors_of(data, split, reporter), data.at(real), data.at(train), data.classes, seed=seed, reporter=reporter
    )


@dataclass(frozen=True)
class Checked:
    """A check's rows, and the data that it was done on (name, fingerprint) with its seed."""

    about: dict[str, Any]
    rows: list[ExtractorCheck]

    def as_json(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {**self.about, "extractors": [row.as_json() for row in self.rows]}


def check(
    data_path: str, seed: int = 0, *, choice: ClassSelection = ALL_CLASSES, reporter: Reporter = SILENT
) -> Checked:
    """Check every feature extractor by graded corruptions of the test part; see `hqgan.metrics.extractor_check`."""
    data = open_data(data_path, 64, seed=seed, choice=choice, reporter=reporter)
    split = evaluation_subset(split_of(data, seed))
    extractors = extractors_of(data, split, reporter)
    rows = check_extractors(extractors, data.at(split.train), data.at(split.test), seed=seed, reporter=reporter)
    return Checked({"data": data.name, "fingerprint": data.fingerprint, "seed": seed}, rows)


def check_table(checked: Checked) -> list[Any]:
    """A rich table of `check`: a row for each distance in each extractor, a column for each corruption, mild to full."""
    points = {name: found for row in reversed(checked.rows) for name, found in row.corruptions.items()}
    names = list(dict.fromkeys(name for row in checked.rows for name in row.corruptions))
    strengths = [f"{n} {'/'.join(format(p.strength, 'g') for p in points[n])}" for n in names]
    out = wording.table(
        "metric",
        "real vs. real",
        *(name.replace("_", " ") for name in names),
        title=f"Graded corruptions of {checked.about['data']}'s test part",
        caption="distances, mild to full strength; strengths: " + "; ".join(strengths),
    )
    out.add_column("ranks them")
    labels = {MetricRow(row.distance, row.extractor).label: row for row in checked.rows}
    for label, row in labels.items():
        reference = wording.cell("{:.3g}", row.real_reference)
        cells = ["\n".join(f"{p.value:.3g}" for p in row.corruptions.get(n, [])) for n in names]
        verdict = "right" if row.passed else "WRONG: " + "; ".join(row.reasons)
        out.add_row(label, reference, *cells, verdict, end_section=True)
    right = wording.listed([label for label, row in labels.items() if row.passed])
    return [out, f"These rank all corruptions right: {right}."]
