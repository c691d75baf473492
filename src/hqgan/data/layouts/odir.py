"""ODIR-5k: fundus photographs, a table with a row for each eye, the images preprocessed to squares."""

from __future__ import annotations

import re
from pathlib import Path

from hqgan.data.index import DatasetIndex, images_by_stem
from hqgan.data.tables import table_rows

TABLE, COLUMNS = "full_df.csv", {"ID", "labels", "filename"}
CLASSES = ("N", "D", "G", "C", "A", "H", "M", "O")
PREPROCESSED = "preprocessed_images"
"""Folder of the square images; the original photographs in the archives have the same names."""
LICENCE = "for research; Peking University, ODIR-2019"


def recognise(root: Path) -> DatasetIndex | None:
    """List ODIR-5k under `root`, or None if its full_df.csv is not directly in it.

    Both eyes of a patient are one group. Eyes without an image are left out. Preprocessed images are preferred to the original
    photographs.

    Raises:
        UserError: the table lacks its columns, or cannot be read.
    """
    table = root / TABLE
    if not table.is_file():
        return None
    found = sorted(table_rows(table, COLUMNS), key=lambda row: row["filename"])
    files = images_by_stem(root, PREPROCESSED)
    index = DatasetIndex("odir-5k", CLASSES, [], [], [], LICENCE, total=len(found))
    for row in found:
        # As Python writes a list: ['N'].
        named = re.findall(r"'(\w+)'", row["labels"])
        if len(named) != 1 or named[0] not in CLASSES:
            index.skipped.append((row["filename"], f"labels {row['labels']!r} are not one of the classes"))
        else:
            index.add(files.get(Path(row["filename"]).stem.lower()), row["filename"], named[0], row["ID"])
    return index
