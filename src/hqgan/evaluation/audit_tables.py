"""What a copying audit found, as tables: on the terminal, and for a report."""

from __future__ import annotations

from typing import Any

from hqgan import wording
from hqgan.metrics.record import rows_from_json
from hqgan.wording import plural

UNVERIFIED = (
    "Unverified: the split is that of the given seed, which may not be the split that the generator of these images "
    "was trained on."
)

NEAREST_CAPTION = "Nothing copied: 50 %. p by permuting lesions; corrected for the number of spaces where it says so."


def tables(found: dict[str, Any]) -> list[Any]:
    """The sentence of an audit, and rich tables of what it rests on."""
    nearest = wording.table(*nearest_head(found), title="Nearest real image is a training one", caption=NEAREST_CAPTION)
    for row in nearest_rows(found):
        nearest.add_row(*row)
    attacks = wording.table(
        *("attack", "AUROC", "p", "control", "p of control", "images"),
        title="Membership inference",
        caption="AUROC within classes; guessing: 0.5; control: members against members",
    )
    for row in found["membership"]:
        attacks.add_row(row["attack"], f"{row['auroc']:.3f}", f"{row['p_value']:.2g}", f"{row['control_auroc']:.3f}",
                        f"{row['control_p_value']:.2g}", str(row["n"]))  # fmt: skip
    memory = wording.table(
        *("metric", "value", "real reference", "images"),
        title="Memorisation",
        caption="real reference: held-out real images in place of generated ones",
    )
    for metric in rows_from_json(found["memory"]):
        values = [wording.cell("{:.4g}", value) for value in (metric.value, metric.real_reference)]
        memory.add_row(metric.label, values[0], metric.reason or values[1], str(metric.n))
    for name, count in flagged_counts(found).items():
        memory.add_row(name, f"{count:,}", "-", f"{found['generated']:,}")
    return [found["sentence"], *([] if found["verified"] else [UNVERIFIED]), nearest, attacks, memory]


def nearest_head(found: dict[str, Any]) -> list[str]:
    """Columns of the table of nearest images."""
    spaces = dict.fromkeys(row["space"] for row in found["nearest"])
    return ["class", "images", "lesions a side", *(title for space in spaces for title in (space, "p"))]


def nearest_rows(found: dict[str, Any]) -> list[list[str]]:
    """Cells of the table of nearest images: all classes, the same with p-values corrected for the number of spaces, classes."""
    rows: list[list[str]] = []
    for name in dict.fromkeys(row["class"] for row in found["nearest"]):
        own = [row for row in found["nearest"] if row["class"] == name]
        shares = [f"{row['share']:.1%}" if row["n"] else "-" for row in own]
        start = [f"{own[0]['n']:,}", f"{own[0]['lesions']:,}"]
        values = [cell for share, row in zip(shares, own, strict=True) for cell in (share, f"{row['p_value']:.2g}")]
        rows.append([name or "all", *start, *values])
        if name is None:
            corrected = [f"{min(1.0, len(own) * row['p_value']):.2g}" for row in own]
            values = [cell for pair in zip(shares, corrected, strict=True) for cell in pair]
            rows.append([f"all, p corrected for {plural(len(own), 'test')}", *start, *values])
    return rows


def flagged_counts(found: dict[str, Any]) -> dict[str, int]:
    """Numbers of flagged images, by why they are flagged."""
    # Older audits do not say how many of the flagged images are copies.
    if "copies" not in found:
        return {"flagged images": len(found["flagged"])}
    copies = found["copies"]
    return {
        "images that are a training image again": copies,
        "near to one training lesion": len(found["flagged"]) - copies,
    }
