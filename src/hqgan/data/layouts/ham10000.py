"""HAM10000 as its archives unpack: a metadata table, the images in part folders or flat beside it."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.index import DatasetIndex, hidden, images_by_stem
from hqgan.data.tables import ENDINGS, table_columns, table_rows
from hqgan.errors import UserError

TABLE = "HAM10000_metadata.csv"
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
COLUMNS = {"lesion_id", "image_id", "dx"}
LICENCE = "CC BY-NC 4.0 (Tschandl, Rosendahl & Kittler 2018)"


def recognise(root: Path) -> DatasetIndex | None:
    """List HAM10000 under `root`, or None if its metadata table is not directly in it.

    Raises:
        UserError: the image folders are there without the table, or the table cannot be read.
    """
    rows = _find_table(root)
    if rows is None:
        if any(p.is_dir() and p.name.lower().startswith("ham10000_images") for p in root.iterdir()):
            raise UserError(
                f"{root} holds HAM10000's image folders but not HAM10000_metadata.csv: put the table beside them."
            )
        return None

    by_stem = images_by_stem(root)
    index = DatasetIndex("ham10000", CLASSES, [], [], [], LICENCE, total=len(rows))
    for image, lesion, dx in sorted(rows):
        if dx.lower() not in CLASSES:
            index.skipped.append((image, f"unknown dx {dx!r}"))
        else:
            index.add(by_stem.get(image.lower()), image, dx.lower(), lesion)
    return index


def _find_table(root: Path) -> list[tuple[str, str, str]] | None:
    """(image_id, lesion_id, dx) of each row of the first table with HAM10000's columns directly under `root`."""
    for path in sorted(root.iterdir()):
        named = path.name.lower().startswith("ham10000_metadata")
        if hidden(path.name) or not (named or path.suffix.lower() in ENDINGS) or not path.is_file():
            continue
        if named or table_columns(path) >= COLUMNS:
            return [(row["image_id"], row["lesion_id"], row["dx"]) for row in table_rows(path, COLUMNS)]
    return None
