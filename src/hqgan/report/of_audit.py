"""The section of a copying audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hqgan.report.blocks import Section, Table, Text, png

Result = dict[str, Any]


def audit_section(found: Result, folder: Path, name: str, real: bool) -> Section:
    """Verdict, tests, attacks and the closest pairs.

    Args:
        found: what ``audit.json`` holds.
        folder: the audit's, for its picture.
        name: whose audit it is.
        real: whether the picture of the closest pairs, which shows real images, is taken in.
    """
    section = Section(f"Copying audit: {name}", [Text(found["sentence"], "finding")])
    if not found["verified"]:
        section.blocks.append(
            Text(
                "Unverified: the split is not known to be the one that these images' generator was trained on.",
                "warning",
            )
        )
    if found.get("private"):
        section.blocks.append(
            Text("These tests look at real images: the run's epsilon does not cover them.", "warning")
        )
    spaces = list(dict.fromkeys(row["space"] for row in found["nearest"]))
    rows = []
    for title in dict.fromkeys(row["class"] for row in found["nearest"]):
        own = [row for row in found["nearest"] if row["class"] == title]
        shares = [(f"{row['share']:.1%}" if row["n"] else "-", f"{row['p_value']:.2g}") for row in own]
        rows.append([title or "all", str(own[0]["lesions"]), *(cell for pair in shares for cell in pair)])
    head = ["class", "lesions a side", *(cell for space in spaces for cell in (space, "p"))]
    section.blocks.append(
        Table(
            head,
            rows,
            "Generated images whose nearest real one is a training image; nothing copied: half. p by permuting lesions.",
        )
    )
    attacks = [
        [row["attack"], f"{row['auroc']:.3f}", f"{row['p_value']:.2g}", f"{row['control_auroc']:.3f}", f"{row['n']:,}"]
        for row in found["membership"]
    ]
    section.blocks.append(
        Table(
            ["membership attack", "AUROC", "p", "control", "images"],
            attacks,
            "Guessing: 0.5; control: members against members.",
        )
    )
    memory = [
        [row["name"], f"{row['value']:.3g}", f"{row['floor']:.3g}", f"{row['n']:,}"]
        for row in found["memory"]
        if row["value"] is not None
    ]
    section.blocks.append(Table(["memory", "value", "real floor", "N"], memory))
    if found["flagged"]:
        section.blocks.append(Text(f"{len(found['flagged']):,} files are flagged; flagged.csv lists them.", "note"))
    picture = folder / "closest-pairs.png"
    if real and picture.exists():
        section.blocks.append(
            png(picture, "The closest pairs, closest first: generated, nearest training, nearest held out.")
        )
    return section
