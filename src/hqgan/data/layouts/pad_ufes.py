"""PAD-UFES-20: smartphone photographs, a table with patients, the images in parts, nested or flat."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.index import DatasetIndex, images_by_stem
from hqgan.data.tables import table_columns, table_rows

TABLE, COLUMNS = "metadata.csv", {"patient_id", "diagnostic", "img_id"}
CLASSES = ("ACK", "BCC", "MEL", "NEV", "SCC", "SEK")
LICENCE = "CC BY 4.0 (Pacheco et al. 2020)"


def recognise(root: Path) -> DatasetIndex | None:
    """List PAD-UFES-20 under `root`, or None if a metadata.csv with its columns is not directly in it.

    Raises:
        UserError: the table cannot be read.
    """
    table = root / TABLE
    if not table.is_file() or not table_columns(table) >= COLUMNS:
        return None
    found = sorted(table_rows(table, COLUMNS), key=lambda row: row["img_id"])
    files = images_by_stem(root)
    index = DatasetIndex("pad-ufes-20", CLASSES, [], [], [], LICENCE, total=len(found))
    for row in found:
        image, name = row["img_id"], row["diagnostic"].upper()
        if name not in CLASSES:
            index.skipped.append((image, f"unknown diagnostic {row['diagnostic']!r}"))
        else:
            index.add(files.get(Path(image).stem.lower()), image, name, row["patient_id"])
    return index
