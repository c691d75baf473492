"""Generated images against the held-out part of a data set, and the judges against planted degradations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hqgan import config as configs
from hqgan.config import ClassSelection
from hqgan.data import ALL_CLASSES, load_split, open_configured, open_data, split_of
from hqgan.data.cache import cache_folder
from hqgan.data.decode import decode
from hqgan.data.layouts.folder import recognise
from hqgan.errors import UserError
from hqgan.evaluation import latent_geometry as geometry
from hqgan.metrics import evaluator as suite
from hqgan.metrics import perceptual, skin
from hqgan.metrics.evaluator import Evaluator
from hqgan.metrics.extractor_check import ExtractorCheck, check_extractors
from hqgan.metrics.extractors import pretrained
from hqgan.metrics.extractors.features import FeatureExtractor, load_views
from hqgan.metrics.modes import mode_rows
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.metrics.subsampling import largest_mix
from hqgan.models.build import Generator
from hqgan.runtime.threads import one_thread
from hqgan.sampling.generate import latent_seed, make_images
from hqgan.sampling.load import Loaded, load
from hqgan.types import ImageData, LabelledImages, Split
from hqgan.wording import listed, plural

Say = Callable[[str], None]
Progress = Callable[[int, int], None] | None

LEARNT = 20_000
"""Training images that judges are fitted to, at most: they are held in memory."""
HELD_OUT = 5_000
"""Held-out images that anything is compared with, at most."""


def evaluation_subset(split: Split) -> Split:
    """The images that judges look at: all, or of large data a draw of `LEARNT` and `HELD_OUT`, always the same."""
    sides = ((split.train, LEARNT), (split.validation, HELD_OUT), (split.test, HELD_OUT))
    return Split(*(_drawn(rows, most) for rows, most in sides))


def _drawn(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(np.random.default_rng(most).choice(rows, most, replace=False))


def views_of(data: ImageData, split: Split, say: Say) -> list[FeatureExtractor]:
    """The views for a data set's training part, trained now or from the cache."""
    return load_views(
        data.images,
        data.labels,
        evaluation_subset(split).train,
        fingerprint=data.fingerprint,
        cache=cache_folder(None),
        report=say,
    )


def build_evaluator(data: ImageData, split: Split, real: np.ndarray, seed: int, say: Say) -> Evaluator:
    """A judge on held-out images.

    Args:
        data: the data set.
        split: its split.
        real: (N,) which images: of the validation side in training, of the test side for results; at most `HELD_OUT` of them.
        seed: of the judge's draws.
        say: told what is being trained.
    """
    real, train = _drawn(real, HELD_OUT), evaluation_subset(split).train
    return Evaluator(views_of(data, split, say), data.at(real), data.at(train), data.classes, seed=seed)


def is_run(path: Path) -> bool:
    """Whether a path is a run's folder or a checkpoint, rather than a folder of images."""
    return path.suffix == ".json" or (path / "config.json").exists() or (path / "checkpoints").exists()


def data_of(loaded: Loaded, data_path: str | None, on_data: Progress = None) -> tuple[ImageData, Split]:
    """The data that a run was trained on, and its split; UserError where the data are others.

    Args:
        loaded: the run.
        data_path: where the data are; None for where the run found them.
        on_data: decoding progress.
    """
    config = loaded.config.data
    path = data_path or config.path
    data = open_configured(config.model_copy(update={"path": path}), on_data)
    recorded = loaded.path.parent.parent / "split.json"
    if loaded.config.private:  # it keeps no fingerprint, but its split names files, classes and lesions
        if not recorded.exists():
            raise UserError(
                f"{recorded} is not there, by which alone a private run knows its data; it is never uploaded: ask who trained it."
            )
        return data, load_split(recorded, data)
    if loaded.values["data"]["fingerprint"] != data.fingerprint:
        raise UserError(
            f"{loaded.path.parent.parent} was not trained on {path}, or that has changed since; give the run's own `data`."
        )
    return data, load_split(recorded, data) if recorded.exists() else split_of(data, config.seed, config.fraction)


def matched_images(generator: Generator, classes: Sequence[str], labels: np.ndarray, seed: int) -> np.ndarray:
    """One uint8 image for each label, numbered by class as `hqgan generate` numbers them."""
    numbers = np.zeros(len(classes), np.int64)
    seeds = []
    for label in labels:
        seeds.append(latent_seed(seed, classes[label], int(numbers[label])))
        numbers[label] += 1
    return np.stack(list(make_images(generator, labels.tolist(), seeds)))


def real_data(
    target: Path, loaded: Loaded | None, data_path: str | None, seed: int, choice: ClassSelection, on_data: Progress
) -> tuple[ImageData, Split]:
    """The real images that a run, or a folder of images, is held against, and their split.

    Raises:
        UserError: a folder without data, a run with a choice of its own, or other data than the run's.
    """
    if loaded:
        if choice != ALL_CLASSES:
            raise UserError(
                f"{target} is a run, with its own classes; leave `classes`, `merge`, `protocol` and `label` away."
            )
        return data_of(loaded, data_path, on_data)
    if data_path is None:
        raise UserError(f"{target} is a folder of images: name the real images to compare it with by `data`.")
    data = open_data(data_path, folder_size(target), seed=seed, choice=choice, progress=on_data)
    return data, split_of(data, seed)


def evaluate(
    target: Path,
    data_path: str | None,
    seed: int = 0,
    *,
    choice: ClassSelection = ALL_CLASSES,
    weights: Mapping[str, Path] | None = None,
    download: bool = False,
    say: Say,
    on_data: Progress = None,
) -> dict[str, Any]:
    """Measure a run, or a folder of images by class, on the test part of a data set.

    Args:
        target: a run's folder (as many images as the test part has, in its class mix, are made), or
            ``folder/<class>/*.png``.
        data_path: the real data; None for the run's own.
        seed: of the noise and of all draws.
        choice: images and classes of the real data, for a folder; a run has its own.
        weights: files of networks trained elsewhere (``inception``, ``dinov2``, ``alexnet``), by name.
        download: whether those that are neither given nor in the cache may be fetched.
        say: told what goes on.
        on_data: decoding progress.

    Returns:
        What was measured (`target`, data, split, hashes) and `metrics`, the rows of `hqgan.metrics.evaluator`, then those of
        `hqgan.metrics.perceptual`. What cannot be computed is a row with its reason.

    Raises:
        UserError: data that the run was not trained on, unknown classes, no images.
    """
    if not target.exists():
        raise UserError(f"There is no run or folder at {target}.")
    loaded = load(target) if is_run(target) else None
    data, split = real_data(target, loaded, data_path, seed, choice, on_data)
    split = evaluation_subset(split)
    about: dict[str, Any] = {
        "target": str(target),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "side": "test",
        "split_seed": loaded.config.data.seed if loaded else seed,
        "seed": seed,
    }
    if loaded:
        about |= {
            "images": loaded.values["images"],
            "checkpoint_sha256": loaded.checkpoint_hash,
            "config_hash": configs.digest(loaded.config),
        }
        labels = np.random.default_rng(seed).permutation(data.labels[split.test])
        say(f"generating {plural(len(labels), 'image')}")
        images = matched_images(loaded.generator, data.classes, labels, seed)
    else:
        images, labels, _ = read_folder(target, data)
    borrowed = pretrained.Borrowed(weights or {}, cache_folder(None), download, say)
    held_out, known, generated = data.at(split.test), data.at(split.train), LabelledImages(images, labels)
    say("measuring")
    views = views_of(data, split, say) + borrowed.views
    rows = suite.evaluate(generated, held_out, known, data.classes, views, seed=seed)
    rows += perceptual.rows(borrowed, generated, held_out, known, data.classes, seed)
    # Of a folder only as many of each class as keep the mix of the real ones: another mix looks like missing modes.
    mix = largest_mix(*(np.bincount(x.labels, minlength=len(data.classes)) for x in (generated, held_out)))
    kept = generated.at(np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(mix)]).astype(np.int64))
    if len(kept):
        rows += _modes(views, kept, held_out, known, seed)
    toned = kept if len(kept) else generated
    config_hash = about.get("config_hash", "")
    metrics = [replace(row, config_hash=config_hash).as_json() for row in rows]
    found = {**about, "metrics": metrics, "skin": skin.report(toned, held_out, data.classes, seed)}
    if loaded and loaded.generator.noise_size <= geometry.MOST_DIMENSIONS:
        say("taking derivatives by the latent")
        found["geometry"] = geometry.geometry(loaded, seed)
    elif loaded:
        say(f"no derivatives by the latent: it has {loaded.generator.noise_size:,} dimensions")
    return found


def _modes(
    views: Sequence[FeatureExtractor], generated: LabelledImages, real: LabelledImages, train: LabelledImages, seed: int
) -> list[MetricRow]:
    view = next(v for v in views if v.name == "derm")
    with one_thread():
        made, held_out, known = (view(x.images) for x in (generated, real, train))
        return mode_rows(view.name, made, generated.labels, held_out, real.labels, known, view.hash, seed)


def check(
    data_path: str, seed: int = 0, *, choice: ClassSelection = ALL_CLASSES, say: Say, on_data: Progress = None
) -> dict[str, Any]:
    """Check every feature extractor by graded corruptions of the test part; see `hqgan.metrics.extractor_check`."""
    data = open_data(data_path, 64, seed=seed, choice=choice, progress=on_data)
    split = evaluation_subset(split_of(data, seed))
    rows = check_extractors(
        views_of(data, split, say),
        data.at(split.train),
        data.at(split.test),
        seed=seed,
        report=lambda name: say(f"corrupting test images: {name}"),
    )
    return {"data": data.name, "fingerprint": data.fingerprint, "seed": seed, "extractors": rows}


def table(result: dict[str, Any]) -> list[Any]:
    """Rich tables of an evaluation: over all classes, and the normalised kernel distance by class."""
    from rich.table import Table

    rows = rows_from_json(result["metrics"])
    over_all = Table(
        title=f"{result['target']} against the test part of {result['data']}",
        caption="normalised: 0 is real against real, 1 the PCA-Gaussian baseline; brackets: 95 % by subsampling",
    )
    over_all.add_column("metric")
    for name in ("value", "interval", "real vs. real", "PCA-Gaussian", "normalised", "N"):
        over_all.add_column(name, justify="right")
    absent: dict[str | None, list[str]] = {}
    for row in (r for r in rows if r.class_name is None):
        if row.value is None:
            absent.setdefault(row.reason, []).append(row.label)
            continue
        interval = "" if row.low is None else f"{row.low:.3g} to {row.high:.3g}"
        cells = [_number(value) for value in (row.real_reference, row.baseline, row.normalised)]
        over_all.add_row(row.label, f"{row.value:.4g}", interval, *cells, str(row.n))
    kernels = [r for r in rows if r.class_name is not None and r.distance == "kd"]
    classes = list(dict.fromkeys(str(r.class_name) for r in kernels))
    by_class = Table(title="Kernel distance (KD) by class, normalised", caption="-: too few images on a side")
    by_class.add_column("extractor")
    for name in classes:
        by_class.add_column(name, justify="right")
    for extractor in dict.fromkeys(r.extractor for r in kernels):
        own = {r.class_name: r.normalised for r in kernels if r.extractor == extractor}
        by_class.add_row(extractor, *(_number(own[name]) or "-" for name in classes))
    missing = [f"Not computed: {listed(names)} ({reason})." for reason, names in absent.items()]
    latent = geometry.table(result["geometry"]) if "geometry" in result else []
    return [over_all, *missing, by_class, *latent, *skin.sentences(result["skin"])]


def check_table(result: dict[str, Any]) -> list[Any]:
    """A rich table of `check`: a row for each distance in each extractor, a column for each corruption, mild to full."""
    from rich.table import Table

    rows: list[ExtractorCheck] = result["extractors"]
    points = {name: found for row in reversed(rows) for name, found in row.corruptions.items()}
    names = list(dict.fromkeys(name for row in rows for name in row.corruptions))
    strengths = [f"{n} {'/'.join(format(p.strength, 'g') for p in points[n])}" for n in names]
    out = Table(
        title=f"Graded corruptions of {result['data']}'s test part",
        caption="distances, mild to full strength; strengths: " + "; ".join(strengths),
    )
    out.add_column("metric")
    out.add_column("real vs. real", justify="right")
    for name in names:
        out.add_column(name.replace("_", " "), justify="right")
    out.add_column("ranks them")
    labels = [MetricRow(row.distance, row.extractor).label for row in rows]
    for label, row in zip(labels, rows, strict=True):
        cells = ["\n".join(f"{p.value:.3g}" for p in row.corruptions.get(n, [])) for n in names]
        verdict = "right" if row.passed else "WRONG: " + "; ".join(row.reasons)
        out.add_row(label, _number(row.real_reference), *cells, verdict, end_section=True)
    right = listed([label for label, row in zip(labels, rows, strict=True) if row.passed])
    return [out, f"These rank all corruptions right: {right}."]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def folder_size(folder: Path) -> int:
    """The side, 32 or 64 pixels, at which a folder's images are to be compared: enlarged ones would match no real one."""
    listing = recognise(folder) if folder.is_dir() else None
    if listing is None:
        raise UserError(f"{folder} is neither a run nor a folder of images by class (folder/<class>/*.png).")
    from PIL import Image

    try:
        with Image.open(folder / listing.files[0]) as image:
            return 32 if min(image.size) < 64 else 64
    except OSError as error:
        raise UserError(f"{folder / listing.files[0]} cannot be read ({error}); remove it and run again.") from error


def read_folder(folder: Path, data: ImageData) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images, labels and file names of a class-per-folder tree, at the real data's size and in its class order.

    Raises:
        UserError: no such tree, a class that the data lack, or a file that cannot be read.
    """
    listing = recognise(folder) if folder.is_dir() else None
    if listing is None:
        raise UserError(f"{folder} is neither a run nor a folder of images by class (folder/<class>/*.png).")
    if unknown := sorted(set(listing.classes) - set(data.classes)):
        raise UserError(
            f"{folder} has classes that {data.name} lacks ({listed(unknown)}); it has {listed(data.classes)}."
        )
    images, labels = [], []
    for file, name in zip(listing.files, listing.labels, strict=True):
        decoded = decode(folder / file, data.images.shape[1])
        if decoded.pixels is None:
            raise UserError(f"{folder / file} cannot be read ({decoded.reason}); remove it and run again.")
        images.append(decoded.pixels)
        labels.append(data.classes.index(name))
    return np.stack(images), np.array(labels, np.int64), list(listing.files)
