"""Check the feature extractors of a data set by graded corruptions of its test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hqgan.config import ClassSelection
from hqgan.data import ALL_CLASSES, open_data, split_of
from hqgan.evaluation.extractors import extractors_of
from hqgan.evaluation.real_images import evaluation_subset
from hqgan.metrics.extractor_check import ExtractorCheck, check_extractors
from hqgan.reporter import SILENT, Reporter


@dataclass(frozen=True)
class Checked:
    """A check's rows, the data that it was done on (name, fingerprint) and its seed."""

    data: str
    fingerprint: str
    seed: int
    rows: list[ExtractorCheck]

    def as_json(self) -> dict[str, Any]:
        """The check as JSON values."""
        about = {"data": self.data, "fingerprint": self.fingerprint, "seed": self.seed}
        return {**about, "extractors": [row.as_json() for row in self.rows]}


def check(
    data_path: str, seed: int = 0, *, choice: ClassSelection = ALL_CLASSES, reporter: Reporter = SILENT
) -> Checked:
    """Check every feature extractor by graded corruptions of the test part; see `hqgan.metrics.extractor_check`."""
    data = open_data(data_path, 64, seed=seed, choice=choice, reporter=reporter)
    split = evaluation_subset(split_of(data, seed))
    rows = check_extractors(
        extractors_of(data, split, reporter),
        data.at(split.train),
        data.at(split.test),
        seed=seed,
        reporter=reporter,
    )
    return Checked(data.name, data.fingerprint, seed, rows)
