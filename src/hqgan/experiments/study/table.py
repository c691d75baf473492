"""A study's result as tables for the terminal."""

from __future__ import annotations

from typing import Any

from hqgan.experiments.study.results import StudyResult
from hqgan.types import UNCOVERED


def table(result: StudyResult) -> list[Any]:
    """One rich table for each classifier and fraction, and the findings as sentences."""
    from rich.table import Table

    out: list[Any] = []
    for family in result.best_classical:
        title = f"{family.classifier} on {result.data.name}"
        if family.fraction != 1:
            title += f", {family.fraction:.0%} of the training part"
        arms = Table(
            title=title,
            caption="95 %: interval by paired hierarchical bootstrap; p-values are corrected for the number of arms (Holm)",
        )
        arms.add_column("arm", no_wrap=True)
        references = {
            "real": "real_only",
            family.name: "best_classical",
        }  # one column if real images alone are the best
        recalls = (f"recall {c}" for c in result.rare)
        against = (f"p against {name}" for name in references)
        for name in ("balanced accuracy", "95 %", "accuracy", *recalls, *against):
            arms.add_column(name, justify="right")
        for r in result.arms_of(family):
            recall = [r.recall[c].mean for c in result.rare]
            p_values = [getattr(r, f"p_value_against_{key}") for key in references.values()]
            arms.add_row(
                r.name,
                f"{r.mean:.3f}",
                f"[{r.low:.3f}, {r.high:.3f}]",
                f"{r.accuracy:.3f}",
                *("-" if value is None else f"{value:.2f}" for value in recall),
                *("" if p is None else f"{p:.2g}" for p in p_values),
            )
        out.append(arms)
    return [*out, *result.sentences, *([UNCOVERED] if result.private else [])]
