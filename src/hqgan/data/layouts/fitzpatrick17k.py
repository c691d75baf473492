"""Fitzpatrick17k: a table with labels at three levels, and those of its images that can still be downloaded."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.index import DatasetIndex, images_by_stem
from hqgan.data.tables import table_rows
from hqgan.errors import UserError
from hqgan.wording import listed

TABLE = "fitzpatrick17k.csv"
LABELS = ("nine_partition_label", "three_partition_label", "label")
"""Columns that can be used as classes, with 9, 3 and 114 of them; the first is the default."""
WRONG = "3 Wrongly labelled"
"""Entry of the column qc for an image whose label a dermatologist found wrong."""
LICENCE = "CC BY-NC-SA 3.0 (Groh et al. 2021)"


def recognise(root: Path, label: str = "") -> DatasetIndex | None:
    """List Fitzpatrick17k under `root` with one of `LABELS`, or None if its table is not directly in it.

    Missing images are counted but do not count as unreadable: many of their addresses no longer exist.

    Raises:
        UserError: the table lacks its columns, or cannot be read; there is no such label.
    """
    if not (root / TABLE).is_file():
        return None
    label = label or LABELS[0]
    if label not in LABELS:
        raise UserError(f"Fitzpatrick17k has no labels {label!r}; it has {listed(LABELS)}.")
    found = sorted(table_rows(root / TABLE, {"md5hash", "qc", label}), key=lambda row: row["md5hash"])
    files = images_by_stem(root)
    known = [row for row in found if row["qc"] != WRONG and row[label]]
    there = [row for row in known if row["md5hash"].lower() in files]
    classes = tuple(sorted({row[label] for row in there}))
    index = DatasetIndex("fitzpatrick17k", classes, [], [], [], LICENCE, total=len(there))
    for row in there:
        index.add(files[row["md5hash"].lower()], row["md5hash"], row[label], "")
    for count, why in (
        (len(known) - len(there), "are not there"),
        (sum(not row[label] for row in found), f"have no {label}"),
        (sum(row["qc"] == WRONG for row in found), "are wrongly labelled, as its qc says"),
    ):
        if count:
            index.skipped.append((f"{TABLE}/", f"{count:,} of its {len(found):,} images {why}"))
    return index
