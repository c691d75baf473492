"""Reports: of one study or comparison, or of any runs, studies, comparisons and audits together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hqgan.errors import UserError
from hqgan.experiments.compare.results import result_from_json
from hqgan.experiments.study.results import from_json
from hqgan.report.blocks import Section, Text, read, write_page
from hqgan.report.compare_sections import compare_sections
from hqgan.report.run_sections import audit_section, comparison, run_sections
from hqgan.report.study_sections import study_sections

PATIENTS = "It shows images of real patients: the licence of the data and the patients' consent decide who may see it."


def write_study(study: Path, out: Path) -> None:
    """Write the report of one study from its ``study.json`` and the pictures beside it."""
    result = _read(study, from_json)
    sections = study_sections(result, study.parent)
    lead = (
        f"Do generated images of {', '.join(result.rare)} in training improve a classifier on real images of {result.data.name} "
        "that it has never seen?"
    )
    write_page(out, "Augmentation study", lead, sections)


def write_comparison(comparison: Path, out: Path) -> None:
    """Write the report of one comparison from its ``compare.json`` and the pictures beside it."""
    result = _read(comparison, result_from_json)
    names = ", ".join(row.name for row in result.data[0].leaderboard)
    lead = f"Which of {names} makes the images that are nearest to held-out real ones, and at what cost?"
    write_page(out, "Comparison of generators", lead, compare_sections(result, comparison.parent))


def write_report(paths: Sequence[Path], out: Path, real: bool = False) -> None:
    """Write one report of runs, studies, comparisons and audits.

    Args:
        paths: folders of runs (with their audits), studies, comparisons or audits.
        out: the HTML file.
        real: whether pictures that show real images are included.

    Raises:
        UserError: a path is none of these.
    """
    runs = [(path.resolve().name, path) for path in paths if (path / "config.json").exists()]
    sections: list[Section] = [comparison(runs)] if len(runs) > 1 else []
    for path in paths:
        name = path.resolve().name
        if (path / "config.json").exists():
            sections += run_sections(path, name, real)
            if (path / "audit" / "audit.json").exists():
                sections.append(audit_section(path / "audit", name, real))
        elif file := next((file for file in _EXPERIMENTS if (path / file).exists()), None):
            title, parse, sections_of = _EXPERIMENTS[file]
            first, *others = sections_of(_read(path / file, parse), path)
            found = [replace(finding, of=f"{title}: {name}") for finding in first.findings]
            verdict = Text("What it found stands at the top of this page.", "note")
            heading = Section(f"{title}: {name}", [*first.blocks, verdict], findings=found)
            sections += [heading, *(Section(s.title, s.blocks, 3, s.findings) for s in others)]
        elif (path / "audit.json").exists():
            sections.append(audit_section(path, name, real))
        else:
            raise UserError(f"{path} is not the folder of a run, a finished study or comparison, or an audit.")
    lead = "Made from the files in " + ", ".join(str(path) for path in paths) + "."
    if real:
        sections.insert(0, Section("Before you share this report", [Text(PATIENTS, "warning")]))
    write_page(out, "HQ-GAN report", lead, sections)


_EXPERIMENTS: dict[str, tuple[str, Callable[..., Any], Callable[..., list[Section]]]] = {
    "study.json": ("Study", from_json, study_sections),
    "compare.json": ("Comparison", result_from_json, compare_sections),
}
"""By the file of the result: its title, how it is read, and its sections."""


def _read(path: Path, parse: Callable[..., Any]) -> Any:
    """The result of a study or a comparison from its file."""
    try:
        return parse(read(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}); run the same command to write it again.") from error
