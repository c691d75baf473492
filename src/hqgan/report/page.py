"""Pages: of one study or comparison, and of any runs, studies, comparisons and audits together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hqgan.errors import UserError
from hqgan.report.blocks import Section, Text, read, write_page
from hqgan.report.of_audit import audit_section
from hqgan.report.of_compare import compare_sections
from hqgan.report.of_run import comparison, run_sections
from hqgan.report.of_study import study_sections

PATIENTS = "It shows real patients' images: the licence of the data and the patients' consent decide who may see it."


def write_study(study: Path, out: Path) -> None:
    """The page of one study from its ``study.json`` and the pictures beside it."""
    result = read(study)
    sections = study_sections(result, study.parent)
    lead = (
        f"Does a classifier that sees generated images of {', '.join(result['rare'])} do better on real images of "
        f"{result['data']['name']} that it has never seen?"
    )
    write_page(out, "Augmentation study", lead, sections)


def write_comparison(comparison: Path, out: Path) -> None:
    """The page of one comparison from its ``compare.json`` and the picture beside it."""
    result = read(comparison)
    names = ", ".join(row["name"] for row in result["data"][0]["leaderboard"])
    lead = f"Which of {names} makes the images nearest to real ones that it has never seen, and at what cost?"
    write_page(out, "Generators compared", lead, compare_sections(result, comparison.parent))


def write_report(paths: Sequence[Path], out: Path, real: bool = False) -> None:
    """One page of runs, studies, comparisons and audits.

    Args:
        paths: folders of runs (an audit in them is shown, too), of studies, of comparisons, or of audits.
        out: the page.
        real: whether pictures that show real images are taken in.

    Raises:
        UserError: a path that is none of these.
    """
    runs = [(path.resolve().name, path) for path in paths if (path / "config.json").exists()]
    sections: list[Section] = [comparison(runs)] if len(runs) > 1 else []
    for path in paths:
        name = path.resolve().name
        if (path / "config.json").exists():
            sections += run_sections(path, name, real)
            if (path / "audit" / "audit.json").exists():
                sections.append(audit_section(read(path / "audit" / "audit.json"), path / "audit", name, real))
        elif (path / "study.json").exists():
            own = study_sections(read(path / "study.json"), path)
            sections += [Section(f"Study: {name}", own[0].blocks), *(Section(s.title, s.blocks, 3) for s in own[1:])]
        elif (path / "compare.json").exists():
            own = compare_sections(read(path / "compare.json"), path)
            sections += [
                Section(f"Comparison: {name}", own[0].blocks),
                *(Section(s.title, s.blocks, 3) for s in own[1:]),
            ]
        elif (path / "audit.json").exists():
            sections.append(audit_section(read(path / "audit.json"), path, name, real))
        else:
            raise UserError(f"{path} is no folder of a run, a finished study or comparison, or an audit.")
    lead = "Made from the files of " + ", ".join(str(path) for path in paths) + "."
    if real:
        sections.insert(0, Section("Before you share this page", [Text(PATIENTS, "warning")]))
    write_page(out, "HQ-GAN report", lead, sections)
