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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.data import demo, open_data
from hqgan.evaluate import data_of, folder_size, is_run, read_folder, split_of
from hqgan.generate import MANIFEST, Loaded, latent_seed, load, make_images
from hqgan.images import labelled_rows, to_float, write_png
from hqgan.metrics import networks, privacy
from hqgan.metrics.copies import nearest_copies
from hqgan.metrics.distances import frechet_reason
from hqgan.metrics.features import fit_directions
from hqgan.metrics.threads import one_thread
from hqgan.models.build import build_critic
from hqgan.training import checkpoint
from hqgan.types import ImageData, Split, UserError, plural

IMAGES = 2000
"""Images made of a run, in the class mix of its training part."""

LEAST = 100
"""Of each class."""

LEVEL = 0.01
"""p-value below which the verdict is copies."""

PAIRS = 20
FLAGGED = "flagged.csv"

_NEUTRAL_SEED, _NEUTRAL_IMAGES = 4669, 280

Say = Callable[[str], None]


def audit(
    target: Path,
    data_path: str | None,
    out: Path | None = None,
    seed: int = 0,
    *,
    say: Say,
    on_data: Callable[[int, int], None] | None = None,
    permutations: int | None = None,
) -> dict[str, Any]:
    """Audit a run, or a folder of images by class.

    Args:
        target: a run's folder (images are made), or ``folder/<class>/*.png``.
        data_path: the real data; None for the run's own.
        out: folder for ``audit.json``, ``flagged.csv`` and ``closest-pairs.png`` (which shows real images); None for
            ``audit`` in a run, ``FOLDER-audit`` beside a folder.
        seed: of the images made, of the draw of lesions and of permutations; for a folder of the split, too.
        say: told what goes on.
        on_data: decoding progress.
        permutations: of lesions in each test; None for the default of `hqgan.metrics.privacy`.

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
    if loaded:
        data, split = data_of(loaded, data_path, on_data)
        images, labels, rows = _made(loaded, data, split, seed, say)
    elif data_path is None:
        raise UserError(f"{target} is a folder of images: name the real ones that it was made from with --data.")
    else:
        data = open_data(data_path, folder_size(target), seed=seed, progress=on_data)
        split = split_of(data, seed)
        images, labels, files = read_folder(target, data)
        rows = _from_manifest(target, files, labels, data)
    folder = out or (loaded.path.parent.parent / "audit" if loaded else target.with_name(f"{target.name}-audit"))
    held_out = np.sort(np.concatenate([split.validation, split.test]))

    say("looking at the images")
    spaces = _spaces(data, images)
    found: dict[str, Any] = {
        "target": str(target),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "verified": loaded is not None,
        "checkpoint_sha256": loaded.checkpoint_hash if loaded else None,
        "seed": seed,
        "permutations": permutations,
        "generated": len(images),
        "training_images": len(split.train),
        "held_out_images": len(held_out),
    }
    with one_thread():
        say(f"nearest real images, {plural(permutations, 'permutation')} of lesions")
        found["nearest"] = _nearest(spaces, data, split, held_out, labels, seed, permutations)
        if not any(row["n"] for row in found["nearest"]):
            raise UserError(
                f"{target} has no image of a class with a held-out lesion in {data.name}: there is nothing to compare it with."
            )
        flagged, pairs = _single(spaces, data, split, images, labels, rows)
        found["memory"] = _memory(spaces, data, split, held_out, labels)
        say("attacks on membership")
        found["membership"] = _attacks(loaded, spaces, data, split, held_out, labels, seed, permutations)
    found["p_value"] = min(1.0, len(spaces) * min(row["p_value"] for row in found["nearest"] if row["class"] is None))
    found["flagged"] = [row["file"] for row in flagged]
    copies = [row for row in flagged if row["why"] == "copy"]
    found["verdict"] = "copies" if found["p_value"] < LEVEL or copies else "no evidence of copying"
    found["sentence"] = _sentence(found, len(copies))
    found["pairs"] = pairs
    _write(folder, found, flagged, pairs, images, data, held_out, spaces, labels)
    return found


def _made(
    loaded: Loaded, data: ImageData, split: Split, seed: int, say: Say
) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Images of a run and how `hqgan generate --seed SEED` would name them."""
    counts = np.bincount(data.labels[split.train], minlength=len(data.classes))
    sizes = np.maximum(np.round(counts / counts.sum() * IMAGES).astype(int), LEAST)
    say(f"generating {plural(int(sizes.sum()), 'image')}")
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


def _spaces(data: ImageData, images: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name to (all real images, generated ones) in pixels and in features of a network that has seen neither set."""
    flat = [np.asarray(x, np.float32).reshape(len(x), -1) for x in (data.images, images)]
    kinds = [(kind, lesion) for kind in demo.LESIONS for lesion in range(_NEUTRAL_IMAGES // len(demo.LESIONS))]
    painted = np.stack([demo.paint(kind, _NEUTRAL_SEED, lesion, 0, data.images.shape[1]) for kind, lesion in kinds])
    network = networks.untrained_eye(painted, _NEUTRAL_SEED)
    # All real images alike set the scale: it is the same however lesions are permuted.
    look = fit_directions(networks.run(network, np.asarray(data.images)))
    features = tuple(look(networks.run(network, np.asarray(x))) for x in (data.images, images))
    return {"pixels": (flat[0], flat[1]), "features": (features[0], features[1])}


def _nearest(
    spaces: dict[str, tuple[np.ndarray, np.ndarray]],
    data: ImageData,
    split: Split,
    held_out: np.ndarray,
    labels: np.ndarray,
    seed: int,
    permutations: int,
) -> list[dict[str, Any]]:
    """The share of generated images nearest to a training image, over all and by class, in each space."""
    a, b = privacy.equal_lesions(data.labels, data.groups, split.train, held_out, seed)
    out = []
    for name, (real, made) in spaces.items():
        for c, title in [(None, None), *enumerate(data.classes)]:
            mine = slice(None) if c is None else labels == c
            test = privacy.nearest_share(
                made[mine], labels[mine], real[a], data.labels[a], real[b], data.labels[b], seed, permutations
            )
            lesions = len(a) if c is None else int((data.labels[a] == c).sum())
            out.append({"space": name, "class": title, "share": test.value, "p_value": test.p_value, "n": test.n,
                        "lesions": lesions})  # fmt: skip
    return out


def _single(
    spaces: dict[str, tuple[np.ndarray, np.ndarray]],
    data: ImageData,
    split: Split,
    images: np.ndarray,
    labels: np.ndarray,
    rows: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Images that are flagged, with why; and the closest pairs."""
    train = split.train
    copies = dict(nearest_copies(images, np.asarray(data.images[train])).tolist())
    ratios, nearest = {}, {}
    for name, (real, made) in spaces.items():
        nearest[name], ratios[name] = privacy.closeness(made, real[train], data.groups[train])
    flagged = []
    for i, row in enumerate(rows):
        space = min(ratios, key=lambda name: ratios[name][i])
        if i in copies or ratios[space][i] < privacy.COPIED:
            j = train[copies.get(i, nearest[space][i])]
            why = "copy" if i in copies else f"near in {space}"
            flagged.append(
                {**row, "why": why, "ratio": round(float(ratios[space][i]), 4), "training_file": str(data.files[j])}
            )
    lowest = np.min(list(ratios.values()), 0)
    lowest[list(copies)] = 0.0  # a mirrored copy lies anywhere
    pairs = []
    for i in np.argsort(lowest, kind="stable")[:PAIRS]:
        space = min(ratios, key=lambda name: ratios[name][i])
        j = train[copies.get(int(i), nearest[space][i])]
        pairs.append({"file": rows[i]["file"], "row": int(i), "training_row": int(j), "training_file": str(data.files[j]),
                      "class": data.classes[labels[i]], "ratio": float(lowest[i]), "space": space})  # fmt: skip
    return flagged, pairs


def _memory(
    spaces: dict[str, tuple[np.ndarray, np.ndarray]],
    data: ImageData,
    split: Split,
    held_out: np.ndarray,
    labels: np.ndarray,
) -> list[dict[str, Any]]:
    """Authenticity and MiFID of generated images, with held-out real images at the same place as the floor."""
    real, made = spaces["features"]
    train = real[split.train]
    # As many of each class on both sides, so that the floor is that of like numbers.
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for c in range(len(data.classes)):
        mine, others = np.flatnonzero(labels == c), held_out[data.labels[held_out] == c]
        k = min(len(mine), len(others))
        ours.append(rng.permutation(mine)[:k])
        theirs.append(rng.permutation(others)[:k])
    a, b = np.concatenate(ours), np.concatenate(theirs)
    out = [{"name": "authenticity_neutral", "value": privacy.authenticity(made[a], train),
            "floor": privacy.authenticity(real[b], train), "n": len(a), "reason": None}]  # fmt: skip
    half = rng.permutation(b)
    one, two = half[: len(b) // 2], half[len(b) // 2 :]
    reason = frechet_reason(len(one), real.shape[1])
    if reason:
        out.append({"name": "mifid_neutral", "value": None, "floor": None, "n": len(one), "reason": reason})
    else:
        value = privacy.mifid(made[rng.permutation(a)[: len(one)]], real[two], train)[0]
        floor = privacy.mifid(real[one], real[two], train)[0]
        out.append({"name": "mifid_neutral", "value": value, "floor": floor, "n": len(one), "reason": None})
    return out


def _attacks(
    loaded: Loaded | None,
    spaces: dict[str, tuple[np.ndarray, np.ndarray]],
    data: ImageData,
    split: Split,
    held_out: np.ndarray,
    labels: np.ndarray,
    seed: int,
    permutations: int,
) -> list[dict[str, Any]]:
    """Membership inference on generator and critic, each with members against members."""
    rows = np.concatenate([split.train, held_out])
    members = np.isin(rows, split.train)
    real, made = spaces["features"]
    near = np.zeros(len(rows))
    for c in np.unique(labels):
        mine = data.labels[rows] == c
        if mine.any():
            near[mine] = -privacy.pairwise(real[rows[mine]], made[labels == c]).min(1)
    # A class that was not generated tells nothing: it would only add ties.
    scores = {"generator, black box": (near, np.isin(data.labels[rows], np.unique(labels)))}
    if loaded:
        scores["critic"] = (_critic_scores(loaded, data, rows), np.ones(len(rows), bool))
    out = []
    for name, (score, known) in scores.items():
        own, lesions = data.labels[rows][known], data.groups[rows][known]
        test = privacy.membership(score[known], members[known], own, lesions, seed, permutations)
        inside = known & members
        half = privacy.halves(inside, data.labels[rows], data.groups[rows], seed)
        control = privacy.membership(
            score[inside], half[inside], data.labels[rows][inside], data.groups[rows][inside], seed, permutations
        )
        out.append({"attack": name, "auroc": test.value, "p_value": test.p_value, "n": test.n,
                    "control_auroc": control.value, "control_p_value": control.p_value})  # fmt: skip
    return out


@torch.no_grad()
def _critic_scores(loaded: Loaded, data: ImageData, rows: np.ndarray, batch: int = 128) -> np.ndarray:
    tensors, _ = checkpoint.read(loaded.path, "critic/")
    critic = build_critic(loaded.config, len(data.classes))
    critic.load_state_dict(tensors)
    critic.eval()
    parts = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    scores = [critic(to_float(np.asarray(data.images[p])), torch.from_numpy(data.labels[p])) for p in parts]
    return torch.cat([s.reshape(-1) for s in scores]).double().numpy()


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
    images: np.ndarray,
    data: ImageData,
    held_out: np.ndarray,
    spaces: dict[str, tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
) -> None:
    """The audit's files; those of an earlier audit are replaced."""
    text = io.StringIO()
    fields = ["file", "class", "latent_seed", "checkpoint_sha256", "why", "ratio", "training_file"]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flagged)
    strips: list[list[np.ndarray]] = [[], [], []]
    for pair in pairs:
        real, made = spaces[pair["space"]]
        rivals = held_out[data.labels[held_out] == labels[pair["row"]]]
        strips[0].append(images[pair["row"]])
        strips[1].append(np.asarray(data.images[pair["training_row"]]))
        if len(rivals):
            nearest = rivals[int(privacy.pairwise(made[pair["row"]][None], real[rivals])[0].argmin())]
            strips[2].append(np.asarray(data.images[nearest]))
        else:
            strips[2].append(np.full_like(images[0], 255))
    names = ("generated", "nearest training", "nearest held out")
    half = (len(pairs) + 1) // 2
    rows = [(n, np.stack(s[k : k + half])) for k in (0, half) for n, s in zip(names, strips, strict=True) if s[k:]]
    folder.mkdir(parents=True, exist_ok=True)
    title = "the closest pairs, closest first; the two lower rows are real patients' images"
    write_png(folder / "closest-pairs.png", labelled_rows(rows, title=title))
    checkpoint.write_atomically(folder / FLAGGED, text.getvalue().encode())
    checkpoint.write_atomically(folder / "audit.json", (json.dumps(found, indent=1, allow_nan=False) + "\n").encode())


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
