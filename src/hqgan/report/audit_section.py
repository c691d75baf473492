"""The section of a copying audit in a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hqgan.metrics.record import rows_from_json
from hqgan.report.blocks import Section, Table, Text, png

Result = dict[str, Any]


def audit_section(found: Result, folder: Path, name: str, real: bool) -> Section:
    """The verdict of an audit, its tests, membership attacks and the closest pairs.

    Args:
        found: what ``audit.json`` holds.
        folder: of the audit, for its picture.
        name: of the run or folder that was audited.
        real: whether to include the picture of the closest pairs, which shows real images.
    """
    section = Section(f"Copying audit: {name}", [Text(found["sentence"], "finding")])
    if not found["verified"]:
        section.blocks.append(
            Text(
                "Unverified: it is not known whether the generator of these images was trained on this split.",
                "warning",
            )
        )
    if found.get("private"):
        section.blocks.append(
            Text("These tests were computed from real images and are not covered by the run's epsilon.", "warning")
        )
    spaces = list(dict.fromkeys(row["space"] for row in found["nearest"]))
    rows = []
    for title in dict.fromkeys(row["class"] for row in found["nearest"]):
        own = [row for row in found["nearest"] if row["class"] == title]
        shares = [(f"{row['share']:.1%}" if row["n"] else "-", f"{row['p_value']:.2g}") for row in own]
        rows.append([title or "all", str(own[0]["lesions"]), *(cell for pair in shares for cell in pair)])
    head = ["class", "lesions on each side", *(cell for space in spaces for cell in (space, "p"))]
    section.blocks.append(
        Table(
            head,
            rows,
            "Share of generated images whose nearest real image is a training image; without copying it is half. "
            "p-values: by permuting lesions.",
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
            "How well training images are distinguished from held-out ones; guessing gives 0.5. Control: two sets of training "
            "images.",
        )
    )
    memory = [
        [row.label, f"{row.value:.3g}", "" if row.real_reference is None else f"{row.real_reference:.3g}", f"{row.n:,}"]
        for row in rows_from_json(found["memory"])
        if row.value is not None
    ]
    section.blocks.append(Table(["memorisation", "value", "real vs. real", "N"], memory))
    if found["flagged"]:
        section.blocks.append(
            Text(f"{len(found['flagged']):,} images are flagged as possible copies; flagged.csv lists them.", "note")
        )
    picture = folder / "closest-pairs.png"
    if real and picture.exists():
        text = "The closest pairs, closest first: generated image, nearest training image, nearest held-out image."
        section.blocks.append(png(picture, text))
    return section
