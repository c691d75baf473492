"""Results of a study or a comparison, and a comparison's expected hours, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hqgan.experiments.compare.grid import TrainingTime
from hqgan.experiments.compare.results import CompareResult
from hqgan.experiments.study.results import StudyResult
from hqgan.types import UNCOVERED
from hqgan.wording import cell, plural


def study_tables(result: StudyResult) -> list[Any]:
    """One rich table for each classifier and fraction, and the findings as sentences."""
    out: list[Any] = []
    caption = "95 %: interval by paired hierarchical bootstrap; p-values are corrected for the number of arms (Holm)"
    for family in result.best_classical:
        # One column if real images alone are the best.
        references = {"real": "real_only", family.name: "best_classical"}
        recalls = (f"recall {c}" for c in result.rare)
        against = (f"p against {name}" for name in references)
        rows = []
        for r in result.arms_of(family):
            recall = [r.recall[c].mean for c in result.rare]
            p_values = [getattr(r, f"p_value_against_{key}") for key in references.values()]
            rows.append(
                [
                    r.name,
                    cell("{:.3f}", r.mean),
                    cell("[{:.3f}, {:.3f}]", r.low, r.high),
                    cell("{:.3f}", r.accuracy),
                    *(cell("{:.2f}", value) for value in recall),
                    *(cell("{:.2g}", p) for p in p_values),
                ]
            )
        head = ["arm", "balanced accuracy", "95 %", "accuracy", *recalls, *against]
        out.append(_table(head, rows, caption, f"{family.classifier} on {result.data.name}{family.part}"))
    return [*out, *result.sentences, *([UNCOVERED] if result.private else [])]


def comparison_tables(result: CompareResult) -> list[Any]:
    """One rich table for each data set, and the findings as sentences."""
    out: list[Any] = []
    caption = "distance: 0 is real vs. real, 1 the PCA-Gaussian baseline; 95 %: its interval; seconds: of training"
    for one in result.data:
        head = ["contestant", "distance", "95 %", "parameters", "in circuits", "epochs", "images/s", "seconds"]
        head += [f"s to {target.distance:g}" for target in one.leaderboard[0].seconds_to]
        rows = [
            [
                row.name,
                cell("{:.3f}", row.distance.mean),
                cell("[{:.3f}, {:.3f}]", row.distance.low, row.distance.high),
                f"{row.parameters:,}",
                f"{row.quantum_parameters:,}",
                f"{row.epochs:.1f}",
                f"{row.images_per_second:.0f}",
                f"{row.seconds:.0f}",
                *(cell("{:.0f}", t.seconds) for t in row.seconds_to),
            ]
            for row in one.leaderboard
        ]
        out.append(_table(head, rows, caption, f"{one.name}, {one.size} pixels, {plural(one.seeds, 'seed')}"))
        out += [*one.sentences, *([UNCOVERED] if one.private else [])]
    return out


def hours_table(rows: Sequence[TrainingTime]) -> list[Any]:
    """A rich table of the expected hours, and their sum."""
    head = ["run", "s per kimg", "kimg", "runs", "finished", "hours left"]
    numbers = [
        [row.name, f"{row.seconds_per_kimg:.1f}", f"{row.kimg:g}", str(row.runs), str(row.done), f"{row.hours:.2f}"]
        for row in rows
    ]
    caption = "training alone, at the speed of this machine now; decoding and measuring are not included"
    total = sum(row.hours for row in rows)
    return [_table(head, numbers, caption), f"{total:.1f} hours of training in all."]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str, title: str | None = None) -> Any:
    """A rich table: names in the first column, numbers in the others."""
    from rich.table import Table

    table = Table(title=title, caption=caption)
    table.add_column(head[0], no_wrap=True)
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
