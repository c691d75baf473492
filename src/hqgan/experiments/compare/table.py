"""Results of a comparison, and its expected hours, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hqgan.experiments.compare.estimate import TrainingTime
from hqgan.experiments.compare.results import CompareResult
from hqgan.types import UNCOVERED
from hqgan.wording import plural


def result_table(result: CompareResult) -> list[Any]:
    """One rich table for each data set, and the findings as sentences."""
    from rich.table import Table

    out: list[Any] = []
    for one in result.data:
        board = Table(
            title=f"{one.name}, {one.size} pixels, {plural(one.seeds, 'seed')}",
            caption="distance: 0 is real vs. real, 1 the PCA-Gaussian baseline; 95 %: its interval; seconds: of training",
        )
        board.add_column("contestant", no_wrap=True)
        names = ("distance", "95 %", "parameters", "in circuits", "epochs", "images/s", "seconds")
        for name in (*names, *(f"s to {t.distance:g}" for t in one.leaderboard[0].seconds_to)):
            board.add_column(name, justify="right")
        for row in one.leaderboard:
            d = row.distance
            board.add_row(
                row.name,
                "-" if d.mean is None else f"{d.mean:.3f}",
                "" if d.mean is None else f"[{d.low:.3f}, {d.high:.3f}]",
                f"{row.parameters:,}",
                f"{row.quantum_parameters:,}",
                f"{row.epochs:.1f}",
                f"{row.images_per_second:.0f}",
                f"{row.seconds:.0f}",
                *("-" if t.seconds is None else f"{t.seconds:.0f}" for t in row.seconds_to),
            )
        out += [board, *one.sentences, *([UNCOVERED] if one.private else [])]
    return out


def hours_table(rows: Sequence[TrainingTime]) -> list[Any]:
    """A rich table of the expected hours, and their sum."""
    from rich.table import Table

    out = Table(caption="training alone, at the speed of this machine now; decoding and measuring are not included")
    out.add_column("run")
    for name in ("s per kimg", "kimg", "runs", "finished", "hours left"):
        out.add_column(name, justify="right")
    for row in rows:
        numbers = (f"{row.seconds_per_kimg:.1f}", f"{row.kimg:g}", str(row.runs), str(row.done), f"{row.hours:.2f}")
        out.add_row(row.name, *numbers)
    total = sum(row.hours for row in rows)
    return [out, f"{total:.1f} hours of training in all."]
