"""ISIC 2019 as its archives unpack: one-hot ground truth, metadata with lesions, the images in a folder."""

from __future__ import annotations

from pathlib import Path

from hqgan.data.index import DatasetIndex, images_by_stem
from hqgan.data.tables import table_rows

TRUTH, METADATA = "ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv"
CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
LICENCE = "CC BY-NC 4.0 (Tschandl et al. 2018, Codella et al. 2018, Combalia et al. 2019)"
DOWNSAMPLED = "_downsampled"
"""Ending of the names of images that the publisher downsampled; the paper leaves them out (arXiv 2506.21015)."""


def recognise(root: Path) -> DatasetIndex | None:
    """List ISIC 2019 under `root`, or None if its ground truth is not directly in it.

    Raises:
        UserError: a table lacks its columns, or cannot be read.
    """
    if not (root / TRUTH).is_file():
        return None
    truth = table_rows(root / TRUTH, {"image", *CLASSES})
    # Without the metadata no lesion is known, and each image is a group of its own.
    lesions = {}
    if (root / METADATA).is_file():
        lesions = {row["image"]: row["lesion_id"] for row in table_rows(root / METADATA, {"image", "lesion_id"})}
    files = images_by_stem(root)
    index = DatasetIndex("isic2019", CLASSES, [], [], [], LICENCE, total=len(truth))
    for row in sorted(truth, key=lambda row: row["image"]):
        image = row["image"]
        named = [c for c in CLASSES if row[c] in {"1", "1.0"}]
        if len(named) != 1:
            index.skipped.append((image, "of no class" if not named else f"of {len(named)} classes"))
        else:
            index.add(files.get(image.lower()), image, named[0], lesions.get(image, ""))
    return index
