"""What an evaluation comes to: one sentence with its reason, and the few rows that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hqgan.metrics.record import MetricRow
from hqgan.wording import cell

CHECKED = ("derm", "early", "middle", "untrained")
"""Feature spaces whose kernel distance ranks corrupted images correctly (docs/results/extractors.md): `late` and the Laplacian
patches do not, and have no say."""
PUBLISHED = ("inception", "dinov2")
"""Networks trained elsewhere, which have a say where their weights are given."""

REPEATS = 0.05
"""Share of images that nearly repeat another, from which on variety is lost; of real images it is 1 %."""

HEAD = ("measure", "these images", "95 %", "real images", "simple baseline")

Level = Literal["bad", "unclear", "good", "none"]


@dataclass(frozen=True)
class Verdict:
    """An evaluation's verdict.

    Attributes:
        level: ``bad``: not to be used; ``unclear``: not clearly better than the baseline; ``good``; ``none``: not measured.
        sentence: the verdict with its reason and what to do.
        rows: the measures that it rests on, cells as in `HEAD`.
    """

    level: Level
    sentence: str
    rows: list[list[str]]


def verdict_of(metrics: Sequence[MetricRow]) -> Verdict:
    """The verdict on generated images.

    They are worse than the simple baseline in a feature space where their kernel distance to real images is larger than that of
    the PCA-Gaussian, and not clearly better where the distance's 95 % interval reaches it.

    Args:
        metrics: of an evaluation; those of single classes are ignored.
    """
    overall = [row for row in metrics if row.class_name is None]
    distances = [
        row for name in (*CHECKED, *PUBLISHED) for row in overall if (row.distance, row.extractor) == ("kd", name)
    ]
    repeats = next((row for row in overall if row.distance == "near_duplicates" and row.value is not None), None)
    rows = [_distance_row(row) for row in distances if row.extractor in CHECKED or row.value is not None]
    if repeats is not None:
        forms = (
            "Nearly repeated images",
            "{value:.0%}",
            "[{low:.0%}, {high:.0%}]",
            "{real_reference:.0%}",
            "-",
        )
        rows.append([cell(form, **vars(repeats)) for form in forms])
    return Verdict(*_judged([row for row in distances if row.normalised is not None], distances, repeats), rows)


def _judged(known: list[MetricRow], distances: list[MetricRow], repeats: MetricRow | None) -> tuple[Level, str]:
    """Level and sentence, from the distances that are normalised, all of them, and the rate of near-duplicates."""
    alike = repeats if repeats is not None and (repeats.low or 0.0) > REPEATS else None
    form = "{value:.0%} of the images nearly repeat another (real images: {real_reference:.0%})"
    repeating = cell(form, **vars(alike)) if alike else ""
    if not known and alike is None:
        reasons = list(dict.fromkeys(row.reason for row in distances if row.reason)) or ["no distance was measured"]
        return "none", f"No verdict: {reasons[0]}."
    worse = [row for row in known if (row.normalised or 0.0) >= 1]
    if worse:
        more = f", and {repeating}" if alike else ""
        return (
            "bad",
            f"Worse than the simple baseline {_places(worse, known)}{more}: train longer; do not use these images.",
        )
    if alike:
        return "bad", f"Too little variety: {repeating}. Train longer or on more images; do not use these images."
    unclear = [row for row in known if (high := limits(row)[1]) is None or high >= 1]
    if unclear:
        return "unclear", (
            f"Not clearly better than the simple baseline {_places(unclear, known)}: train longer, or measure with more test "
            "images, before you use these images."
        )
    return "good", (
        f"Better than the simple baseline {_places(known, known)}: before you use these images, test them for copies (hqgan "
        "audit) and their use for a classifier (hqgan study)."
    )


def _places(some: Sequence[MetricRow], known: Sequence[MetricRow]) -> str:
    """``in 3 of 5 feature spaces``."""
    if len(known) == 1:
        return f"in the one feature space that could be measured ({known[0].extractor})"
    return (
        f"in all {len(known)} feature spaces"
        if len(some) == len(known)
        else f"in {len(some)} of {len(known)} feature spaces"
    )


def limits(row: MetricRow) -> tuple[float | None, float | None]:
    """The 95 % interval of a row's normalised value; None where there is none."""
    real, baseline = row.real_reference, row.baseline
    if row.normalised is None or row.low is None or row.high is None or real is None or baseline is None:
        return None, None
    return (row.low - real) / (baseline - real), (row.high - real) / (baseline - real)


def _distance_row(row: MetricRow) -> list[str]:
    return [
        f"Distance ({row.extractor})",
        cell("{:.2f}", row.normalised),
        cell("[{:.2f}, {:.2f}]", *limits(row)),
        "0",
        "1",
    ]
