"""HAM10000 as its archives unpack: a metadata table, the images in part folders or flat beside it."""

from __future__ import annotations

import csv
from pathlib import Path

from hqgan.data.index import DatasetIndex, hidden, images_by_stem, without_spaces
from hqgan.errors import UserError

TABLE = "HAM10000_metadata.csv"
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
COLUMNS = {"lesion_id", "image_id", "dx"}
LICENCE = "CC BY-NC 4.0 (Tschandl, Rosendahl & Kittler 2018)"


def recognise(root: Path) -> DatasetIndex | None:
    """List HAM10000 under `root`, or None if its metadata table is not directly in it.

    Raises:
        UserError: the image folders are there without the table.
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
        if hidden(path.name) or not (named or path.suffix.lower() in {".csv", ".tab"}) or not path.is_file():
            continue
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                # Harvard Dataverse serves the same table with tabs.
                header = file.readline()
                file.seek(0)
                reader = csv.DictReader(file, delimiter="\t" if "\t" in header else ",")
                names = {name.strip() for name in reader.fieldnames or ()}
                if names >= COLUMNS:
                    rows = map(without_spaces, reader)
                    return [(row.get("image_id", ""), row.get("lesion_id", ""), row.get("dx", "")) for row in rows]
                if named:
                    raise UserError(f"{path} lacks the columns lesion_id, image_id and dx; download it again.")
        except (UnicodeDecodeError, csv.Error) as error:
            if named:
                raise UserError(f"{path} is not a readable table ({error}); download it again.") from error
    return None
