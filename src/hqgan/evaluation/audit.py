"""The copying audit: whether generated images give training images away.

Three kinds of evidence, each against a null that the data themselves supply:

- *nearest image*: within a class, with equal numbers of training and held-out lesions, how often is the real image nearest to a
  generated one a training image? Nothing copied is a half. In pixels, and in features of a network that has seen neither set.
- *single images*: copies of training images up to turning, mirroring and JPEG, and images several times nearer to one training
  lesion than to any other (arXiv 2301.13188 and Yoon et al., 2023).
- *membership*: can training images be told from others of their class by the critic's score, or by how near generated images lie
  (GAN-Leaks, arXiv 1909.03935)? Beside each a control, members against members.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.config import ClassSelection
from hqgan.data import ALL_CLASSES
from hqgan.errors import UserError
from hqgan.evaluation.copying_evidence import Evidence, attacks, memory, nearest, single, spaces_of
from hqgan.evaluation.real_images import compared_with, is_run
from hqgan.io.files import write_atomically
from hqgan.io.images import labelled_rows, write_png
from hqgan.metrics import copying as privacy
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import one_thread
from hqgan.sampling.generate import MANIFEST
from hqgan.sampling.image_folder import read_folder
from hqgan.sampling.images import latent_seed, make_images
from hqgan.sampling.load import Loaded, load
from hqgan.types import ImageData, Split
from hqgan.wording import plural

IMAGES = 2000
"""Images made of a run, in the class mix of its training part."""

LEAST = 100
"""Of each class."""

LEVEL = 0.01
"""p-value below which the verdict is copies."""

FLAGGED = "flagged.csv"


def audit(
    target: Path,
    data_path: str | None,
    out: Path | None = None,
    seed: int = 0,
    *,
    choice: ClassSelection = ALL_CLASSES,
    reporter: Reporter = SILENT,
    permutations: int | None = None,
) -> dict[str, Any]:
    """Audit a run, or a folder of images by class.

    Args:
        target: a run's folder (images are made), or ``folder/<class>/*.png``.
        data_path: the real data; None for the run's own.
        out: folder for ``audit.json``, ``flagged.csv`` and ``closest-pairs.png`` (which shows real images); None for
            ``audit`` in a run, ``FOLDER-audit`` beside a folder.
        seed: of the images made, of the draw of lesions and of permutations; for a folder of the split, too.
        choice: images and classes of the real data, for a folder; a run has its own.
        reporter: receives messages and progress.
        permutations: of lesions in each test; None for the default of `hqgan.metrics.copying`.

    Returns:
        ``verdict`` (``copies`` or ``no evidence of copying``), ``p_value``, ``sentence``, ``flagged`` (file names), and what
        they rest on.

    Raises:
        UserError: no run or folder there, other data than the run's, or too little of them.
    """
    if not target.exists():
        raise UserError(f"There is no run or folder at {target}.")
    loaded = load(target) if is_run(target) else None
    permutations = permutations or privacy.PERMUTATIONS
    data, split = compared_with(target, loaded, data_path, seed, choice, reporter)
    if loaded:
        images, labels, rows = _made(loaded, data, split, seed, reporter)
    else:
        (images, labels), files = read_folder(target, data)
        rows = _from_manifest(target, files, labels, data)
    folder = out or (loaded.path.parent.parent / "audit" if loaded else target.with_name(f"{target.name}-audit"))
    held_out = np.sort(np.concatenate([split.validation, split.test]))

    reporter.message("looking at the images")
    evidence = Evidence(data, split, held_out, images, labels, spaces_of(data, images), seed, permutations)
    found: dict[str, Any] = {
        "target": str(target),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "verified": loaded is not None,
        "private": loaded is not None and loaded.config.private,
        "checkpoint_sha256": loaded.checkpoint_hash if loaded else None,
        "seed": seed,
        "permutations": permutations,
        "generated": len(images),
        "training_images": len(split.train),
        "held_out_images": len(held_out),
    }
    with one_thread():
        reporter.message(f"nearest real images, {plural(permutations, 'permutation')} of lesions")
        found["nearest"] = nearest(evidence)
        if not any(row["n"] for row in found["nearest"]):
            raise UserError(
                f"{target} has no image of a class with a held-out lesion in {data.name}: there is nothing to compare it with."
            )
        flagged, pairs = single(evidence, rows)
        found["memory"] = memory(evidence)
        reporter.message("attacks on membership")
        found["membership"] = attacks(evidence, loaded)
    found["p_value"] = min(
        1.0, len(evidence.spaces) * min(row["p_value"] for row in found["nearest"] if row["class"] is None)
    )
    found["flagged"] = [row["file"] for row in flagged]
    copies = [row for row in flagged if row["why"] == "copy"]
    found["verdict"] = "copies" if found["p_value"] < LEVEL or copies else "no evidence of copying"
    found["sentence"] = _sentence(found, len(copies))
    found["pairs"] = pairs
    _write(folder, found, flagged, pairs, evidence)
    return found


def _made(
    loaded: Loaded, data: ImageData, split: Split, seed: int, reporter: Reporter
) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Images of a run and how `hqgan generate --seed SEED` would name them."""
    counts = np.bincount(data.labels[split.train], minlength=len(data.classes))
    sizes = np.maximum(np.round(counts / counts.sum() * IMAGES).astype(int), LEAST)
    reporter.message(f"generating {plural(int(sizes.sum()), 'image')}")
    rows = [
        {
            "file": f"{name}/{name}-{i:05d}.png",
            "class": name,
            "latent_seed": latent_seed(seed, name, i),
            "checkpoint_sha256": loaded.checkpoint_hash,
        }
        for name, size in zip(data.classes, sizes, strict=True)
        for i in range(size)
    ]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    seeds = [latent_seed(seed, name, i) for name, size in zip(data.classes, sizes, strict=True) for i in range(size)]
    images = np.stack(list(make_images(loaded.generator, labels.tolist(), seeds)))
    return images, labels, rows


def _from_manifest(folder: Path, files: list[str], labels: np.ndarray, data: ImageData) -> list[dict[str, Any]]:
    """What a manifest beside the images knows of them; blanks where there is none."""
    known: dict[str, dict[str, str]] = {}
    path = folder / MANIFEST
    if path.exists():
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                known = {row["file"]: row for row in csv.DictReader(stream)}
        except (KeyError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"The manifest {path} cannot be read ({error}); remove it and run again.") from error
    return [
        {
            "file": file,
            "class": data.classes[label],
            "latent_seed": known.get(file, {}).get("latent_seed", ""),
            "checkpoint_sha256": known.get(file, {}).get("checkpoint_sha256", ""),
        }
        for file, label in zip(files, labels, strict=True)
    ]


def _sentence(found: dict[str, Any], copies: int) -> str:
    over_all = [row for row in found["nearest"] if row["class"] is None]
    shares = " and ".join(f"{row['share']:.1%} in {row['space']}" for row in over_all)
    p = found["p_value"]
    nearest = (
        f"of {over_all[0]['n']:,} generated images {shares} have a training image as their nearest real one where half would "
        f"by chance (p = {p:.2g})"
    )
    if copies:
        what = "generated image is a training image" if copies == 1 else "generated images are training images"
        return f"Copies: {copies:,} {what} again, and {nearest}."
    if p < LEVEL:
        return f"Copies: {nearest}."
    near = len(found["flagged"])
    more = f"; {plural(near, 'image')} lie suspiciously near to one training lesion" if near else ""
    return f"No evidence of copying: {nearest}{more}; that is no proof that nothing was copied."


def _write(
    folder: Path,
    found: dict[str, Any],
    flagged: list[dict[str, Any]],
    pairs: list[dict[str, Any]],
    evidence: Evidence,
) -> None:
    """The audit's files; those of an earlier audit are replaced."""
    data, images, labels, held_out = evidence.data, evidence.images, evidence.labels, evidence.held_out
    text = io.StringIO()
    fields = ["file", "class", "latent_seed", "checkpoint_sha256", "why", "ratio", "training_file"]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flagged)
    strips: list[list[np.ndarray]] = [[], [], []]
    for pair in pairs:
        real, made = evidence.spaces[pair["space"]]
        rivals = held_out[data.labels[held_out] == labels[pair["row"]]]
        strips[0].append(images[pair["row"]])
        strips[1].append(np.asarray(data.images[pair["training_row"]]))
        if len(rivals):
            closest = rivals[int(privacy.pairwise(made[pair["row"]][None], real[rivals])[0].argmin())]
            strips[2].append(np.asarray(data.images[closest]))
        else:
            strips[2].append(np.full_like(images[0], 255))
    names = ("generated", "nearest training", "nearest held out")
    half = (len(pairs) + 1) // 2
    rows = [(n, np.stack(s[k : k + half])) for k in (0, half) for n, s in zip(names, strips, strict=True) if s[k:]]
    folder.mkdir(parents=True, exist_ok=True)
    title = "the closest pairs, closest first; the two lower rows are real patients' images"
    write_png(folder / "closest-pairs.png", labelled_rows(rows, title=title))
    write_atomically(folder / FLAGGED, text.getvalue().encode())
    write_atomically(folder / "audit.json", (json.dumps(found, indent=1, allow_nan=False) + "\n").encode())


def table(found: dict[str, Any]) -> list[Any]:
    """Rich tables of an audit, and its sentence."""
    from rich.table import Table

    spaces = list(dict.fromkeys(row["space"] for row in found["nearest"]))
    nearest = Table(
        title="Nearest real image is a training one", caption="nothing copied: 50 %; p by permuting lesions"
    )
    nearest.add_column("class")
    nearest.add_column("lesions a side", justify="right")
    for space in spaces:
        nearest.add_column(space, justify="right")
        nearest.add_column("p", justify="right")
    for name in dict.fromkeys(row["class"] for row in found["nearest"]):
        own = [row for row in found["nearest"] if row["class"] == name]
        cells = [cell for row in own for cell in (f"{row['share']:.1%}" if row["n"] else "-", f"{row['p_value']:.2g}")]
        nearest.add_row(name or "all", str(own[0]["lesions"]), *cells)
    attacks = Table(
        title="Membership inference", caption="AUROC within classes; guessing: 0.5; control: members against members"
    )
    for name in ("attack", "AUROC", "p", "control", "p of control", "images"):
        attacks.add_column(name, justify="left" if name == "attack" else "right")
    for row in found["membership"]:
        attacks.add_row(row["attack"], f"{row['auroc']:.3f}", f"{row['p_value']:.2g}", f"{row['control_auroc']:.3f}",
                        f"{row['control_p_value']:.2g}", str(row["n"]))  # fmt: skip
    memory = Table(title="Memory", caption="floor: held-out real images in place of generated ones")
    for name in ("measure", "value", "floor", "images"):
        memory.add_column(name, justify="left" if name == "measure" else "right")
    for row in found["memory"]:
        cells = ["-", row["reason"]] if row["value"] is None else [f"{row['value']:.4g}", f"{row['floor']:.4g}"]
        memory.add_row(row["name"], *cells, str(row["n"]))
    warning = (
        ""
        if found["verified"]
        else (
            "Unverified: the split is that of --seed, not known to be the one that these images' generator was trained on."
        )
    )
    return [nearest, attacks, memory, *([warning] if warning else []), found["sentence"]]
