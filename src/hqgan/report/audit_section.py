"""The section of a copying audit in a report."""

from __future__ import annotations

from pathlib import Path

from hqgan.metrics.record import rows_from_json
from hqgan.report.blocks import Section, Table, Text, png, read, table_of


def audit_section(folder: Path, name: str, real: bool) -> Section:
    """The verdict of an audit, its tests, membership attacks and the closest pairs.

    Args:
        folder: of the audit: its ``audit.json`` and its picture.
        name: of the run or folder that was audited.
        real: whether to include the picture of the closest pairs, which shows real images.
    """
    found = read(folder / "audit.json")
    section = Section(f"Copying audit: {name}", [Text(found["sentence"], "finding")])
    if not found["verified"]:
        text = "Unverified: it is not known whether the generator of these images was trained on this split."
        section.blocks.append(Text(text, "warning"))
    if found.get("private"):
        text = "These tests were computed from real images and are not covered by the run's epsilon."
        section.blocks.append(Text(text, "warning"))
    spaces = list(dict.fromkeys(row["space"] for row in found["nearest"]))
    rows = []
    for title in dict.fromkeys(row["class"] for row in found["nearest"]):
        own = [row for row in found["nearest"] if row["class"] == title]
        shares = [(f"{row['share']:.1%}" if row["n"] else "-", f"{row['p_value']:.2g}") for row in own]
        rows.append([title or "all", str(own[0]["lesions"]), *(cell for pair in shares for cell in pair)])
    head = ["class", "lesions on each side", *(cell for space in spaces for cell in (space, "p"))]
    memory = [{**vars(row), "label": row.label} for row in rows_from_json(found["memory"]) if row.value is not None]
    section.blocks += [
        Table(
            head,
            rows,
            "Share of generated images whose nearest real image is a training image; without copying it is half. "
            "p-values: by permuting lesions.",
        ),
        table_of(
            found["membership"],
            "membership attack | AUROC | p | control | images",
            "{attack} | {auroc:.3f} | {p_value:.2g} | {control_auroc:.3f} | {n:,}",
            "How well training images are distinguished from held-out ones; guessing gives 0.5. Control: two sets of training "
            "images.",
        ),
        table_of(
            memory,
            "memorisation | value | real vs. real | N",
            "{label} | {value:.3g} | {real_reference:.3g} | {n:,}",
        ),
    ]
    if found["flagged"]:
        text = f"{len(found['flagged']):,} images are flagged as possible copies; flagged.csv lists them."
        section.blocks.append(Text(text, "note"))
    picture = folder / "closest-pairs.png"
    if real and picture.exists():
        text = "The closest pairs, closest first: generated image, nearest training image, nearest held-out image."
        section.blocks.append(png(picture, text))
    return section
