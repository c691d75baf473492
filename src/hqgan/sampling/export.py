"""A training folder for other programs: the real images by side and class, generated ones added to the training side."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from hqgan.data import check_leaks, check_outside
from hqgan.data.splits import SIDES
from hqgan.errors import UserError
from hqgan.io.files import csv_text, write_atomically
from hqgan.io.images import write_png
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.dataset import check_same_classes
from hqgan.sampling.images import Numbered, images_of
from hqgan.sampling.load import Loaded
from hqgan.sampling.model_card import model_card
from hqgan.types import ImageData, Split

TABLE = "metadata.csv"
COLUMNS = ("file_name", "label", "source", "group", "origin")
"""Of every side's metadata. Groups and origins are never empty or plain numbers, for readers guess a column's type by side."""
Originals = Literal["resized", "copy", "link"]


def export(
    loaded: Loaded,
    data: ImageData,
    split: Split,
    root: Path | None,
    made: Sequence[Numbered],
    out: Path,
    *,
    originals: Originals = "resized",
    reporter: Reporter = SILENT,
) -> dict[str, dict[str, tuple[int, int]]]:
    """Write ``OUT/SIDE/CLASS/FILE`` and ``OUT/SIDE/metadata.csv``, atomically.

    torchvision's ImageFolder reads a side, timm's train.py the whole folder, and Hugging Face datasets' imagefolder the whole
    folder with its metadata: file_name, label, source (``real`` or ``generated``), group (lesion or patient), origin (file, or
    latent seed and checkpoint). Generated images stand on the training side alone; validation and test are the run's own,
    untouched.

    Args:
        loaded: the generator.
        data: what it was trained on.
        split: the run's.
        root: the data's folder, for originals; None for procedural images.
        made: the generated images, as `numbered` lists them.
        out: a folder that is not there yet, or is empty.
        originals: real images as ``resized`` to the generated ones' size, so that sharpness does not distinguish them, or
            their files as a ``copy`` or a ``link``.
        reporter: receives how many images are written, as task ``exporting``.

    Returns:
        By side and class, how many real and how many generated images there are.

    Raises:
        UserError: `out` is not empty, a leak, originals that there are none of, or a generator of other classes.
    """
    check_same_classes(loaded, data)
    check_leaks(split, data.groups)
    if originals != "resized" and (root is None or not (root / str(data.files[0])).is_file()):
        raise UserError(f"{data.name} has no image files to {originals}; leave `originals` away.")
    out = out.resolve()
    if root is not None:
        check_outside(root, out)
    _check_free(out)
    total = sum(len(getattr(split, side)) for side in SIDES) + len(made)
    done, found = 0, {}
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))  # to be renamed on one file system
    try:
        for side in SIDES:
            for name in data.classes:  # also where it has none: readers number the folders that they see
                (part / side / name).mkdir(parents=True)
            rows: list[tuple[str, ...]] = []
            for row in getattr(split, side):
                name = data.classes[data.labels[row]]
                ending = ".png" if originals == "resized" else PurePosixPath(str(data.files[row])).suffix
                file = f"real-{row:06d}{ending}"
                _write_real(part / side / name / file, data, int(row), root, originals)
                rows.append((f"{name}/{file}", name, "real", f"group:{data.groups[row]}", f"file:{data.files[row]}"))
                reporter.progress("exporting", done := done + 1, total)
            if side == "train":
                for (file, name, latent), image in zip(made, images_of(loaded, made)[1], strict=True):
                    path = part / side / name / f"generated-{PurePosixPath(file).name}"
                    write_png(path, image)
                    origin = f"latent seed:{latent} checkpoint:{loaded.checkpoint_hash}"
                    rows.append((f"{name}/{path.name}", name, "generated", "generated", origin))
                    reporter.progress("exporting", done := done + 1, total)
            write_atomically(part / side / TABLE, csv_text(COLUMNS, rows).encode(errors="backslashreplace"))
            n = Counter((name, source) for _, name, source, *_ in rows)
            found[side] = {name: (n[name, "real"], n[name, "generated"]) for name in data.classes}
        write_atomically(part / "MODEL_CARD.md", model_card(loaded).encode())
        part.chmod(0o755)
        _check_free(out)
        if out.exists():
            out.rmdir()
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return found


def _check_free(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out} holds files already; choose another folder.")


def _write_real(path: Path, data: ImageData, row: int, root: Path | None, originals: Originals) -> None:
    if originals == "resized" or root is None:
        write_png(path, data.images[row])
    elif originals == "copy":
        shutil.copyfile(root / str(data.files[row]), path)
    else:
        os.symlink((root / str(data.files[row])).resolve(), path)  # noqa: PTH211 - the target first reads better here
