"""ISIC 2019 as its archives unpack: one-hot ground truth, metadata with lesions, the images in a folder."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from hqgan.data.listing import Listing, walk_images
from hqgan.types import UserError

TRUTH, METADATA = "ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv"
CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
LICENCE = "CC BY-NC 4.0 (Tschandl et al. 2018, Codella et al. 2018, Combalia et al. 2019)"
DOWNSAMPLED = "_downsampled"
"""Images that the publisher had made smaller; left out, as in the paper (arXiv 2506.21015)."""


def recognise(root: Path) -> Listing | None:
    """List ISIC 2019 under `root`, or None where its ground truth is not directly there.

    Raises:
        UserError: the ground truth lacks its columns, or a table cannot be read.
    """
    if not (root / TRUTH).is_file():
        return None
    truth = _rows(root / TRUTH, {"image", *CLASSES})
    # Without the metadata no lesion is known, and each image is one of its own.
    lesions = {}
    if (root / METADATA).is_file():
        lesions = {row["image"]: row["lesion_id"] for row in _rows(root / METADATA, {"image", "lesion_id"})}
    by_stem: dict[str, str] = {}
    for file in walk_images(root):
        by_stem.setdefault(PurePosixPath(file).stem.lower(), file)
    wanted = sorted((row for row in truth if not row["image"].endswith(DOWNSAMPLED)), key=lambda row: row["image"])
    listing = Listing("isic2019", CLASSES, [], [], [], LICENCE, total=len(wanted))
    for row in wanted:
        image = row["image"]
        named = [c for c in CLASSES if row[c] in {"1", "1.0"}]
        path = by_stem.get(image.lower())
        if len(named) != 1:
            listing.skipped.append((image, "of no class" if not named else f"of {len(named)} classes"))
        elif path is None:
            listing.skipped.append((image, "missing"))
        else:
            listing.files.append(path)
            listing.labels.append(named[0])
            listing.groups.append(lesions.get(image, ""))
    return listing


def _rows(path: Path, columns: set[str]) -> list[dict[str, str]]:
    """The rows of a table, with these columns, blanks taken off."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not columns <= {name.strip() for name in reader.fieldnames or ()}:
                raise UserError(f"{path} lacks one of the columns {', '.join(sorted(columns))}; download it again.")
            return [
                {(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)} for row in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a readable table ({error}); download it again.") from error
