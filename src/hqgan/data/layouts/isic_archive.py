"""Images of the ISIC archive as its command line, isic-cli, downloads them: one folder with a metadata.csv."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.index import DatasetIndex, images_by_stem
from hqgan.data.tables import table_columns, table_rows
from hqgan.errors import UserError
from hqgan.wording import listed

TABLE = "metadata.csv"
LABELS = ("diagnosis_3", "diagnosis", "diagnosis_1", "diagnosis_2", "diagnosis_4", "diagnosis_5", "benign_malignant")
"""Columns that can be used as classes; the first of them that is there is the default."""
LICENCE = "CC 0, CC BY or CC BY-NC by image: see the column copyright_license (ISIC archive)"


def recognise(root: Path, label: str = "") -> DatasetIndex | None:
    """List images of the ISIC archive under `root` with one of `LABELS`, or None if its table is not directly in it.

    All images of a patient are one group; where the patient is not known, those of a lesion.

    Raises:
        UserError: the table cannot be read; there is no such label.
    """
    table = root / TABLE
    columns = table_columns(table) if table.is_file() else set()
    labels = [name for name in LABELS if name in columns]
    if "isic_id" not in columns or not labels:
        return None
    label = label or labels[0]
    if label not in labels:
        raise UserError(f"{table} has no labels {label!r}; it has {listed(labels)}.")
    found = sorted(table_rows(table, {"isic_id", label}), key=lambda row: row["isic_id"])
    files = images_by_stem(root)
    known = [row for row in found if row[label]]
    classes = tuple(sorted({row[label] for row in known}))
    index = DatasetIndex("isic-archive", classes, [], [], [], LICENCE, total=len(known))
    for row in known:
        group = row.get("patient_id") or row.get("lesion_id") or ""
        index.add(files.get(row["isic_id"].lower()), row["isic_id"], row[label], group)
    if bare := len(found) - len(known):
        index.skipped.append((f"{TABLE}/", f"{bare:,} of its {len(found):,} images have no {label}"))
    return index
