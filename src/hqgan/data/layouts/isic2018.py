"""ISIC 2018 Task 3 as its archives unpack: three parts, each images and a one-hot table; lesions of the first."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.index import DatasetIndex, images_by_stem
from hqgan.data.tables import table_rows

PARTS = {"Training": "train", "Validation": "validation", "Test": "test"}
"""The publisher's names of the parts, and ours of the sides."""
TRUTH = "ISIC2018_Task3_Training_GroundTruth.csv"
LESIONS = "ISIC2018_Task3_Training_LesionGroupings.csv"
CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
LICENCE = "CC BY-NC 4.0 (Tschandl, Rosendahl & Kittler 2018; Codella et al. 2019)"


def recognise(root: Path) -> DatasetIndex | None:
    """List ISIC 2018 Task 3 under `root`, or None if no ground truth of its parts is there, directly or in its folder.

    With the tables of all three parts the split is the publisher's; else hqgan splits what has a class, by lesion.

    Raises:
        UserError: a table lacks its columns, or cannot be read.
    """
    tables = {part: _find(root, TRUTH.replace("Training", part)) for part in PARTS}
    found = {part: table_rows(path, {"image", *CLASSES}) for part, path in tables.items() if path}
    if not found:
        return None
    lesions = {}
    if grouping := _find(root, LESIONS):
        lesions = {row["image"]: row["lesion_id"] for row in table_rows(grouping, {"image", "lesion_id"})}
    files = images_by_stem(root)
    index = DatasetIndex("isic2018", CLASSES, [], [], [], LICENCE, total=sum(map(len, found.values())))
    for part, rows in found.items():
        for row in sorted(rows, key=lambda row: row["image"]):
            image = row["image"]
            named = [c for c in CLASSES if row[c] in {"1", "1.0"}]
            if len(named) != 1:
                index.skipped.append((image, "of no class" if not named else f"of {len(named)} classes"))
            else:
                index.add(files.get(image.lower()), image, named[0], lesions.get(image, ""))
        if len(found) == len(PARTS):
            index.sides.extend([PARTS[part]] * (len(index.files) - len(index.sides)))
    for part in PARTS.keys() - found.keys():
        if (root / f"ISIC2018_Task3_{part}_Input").is_dir():
            index.skipped.append((f"ISIC2018_Task3_{part}_Input/", "its table of classes is not there"))
    return index


def _find(root: Path, name: str) -> Path | None:
    """A table directly under `root`, or in the folder of its name that its archive unpacks to."""
    places = (root / name, root / Path(name).stem / name)
    return next((path for path in places if path.is_file()), None)
