"""Measure generated images on the test part of a data set: a run's, or those in a folder by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hqgan import config as configs
from hqgan.config import ClassSelection
from hqgan.data import ALL_CLASSES
from hqgan.data.cache import cache_folder
from hqgan.errors import UserError
from hqgan.evaluation.extractors import extractors_of
from hqgan.evaluation.latent_geometry import MOST_DIMENSIONS, geometry
from hqgan.evaluation.real_images import compared_with, evaluation_subset, is_run
from hqgan.metrics import evaluator, perceptual, skin
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.pretrained import PretrainedNetworks
from hqgan.metrics.modes import mode_rows
from hqgan.metrics.record import MetricRow
from hqgan.metrics.subsampling import largest_mix
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import one_thread
from hqgan.sampling.image_folder import read_folder
from hqgan.sampling.images import matched_images
from hqgan.sampling.load import Loaded, load
from hqgan.types import ImageData, LabelledImages, Split
from hqgan.wording import plural


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured.

    Attributes:
        about: target, data, split and seed; of a run also images shown, checkpoint's and config's hash.
        metrics: rows of `hqgan.metrics.evaluator`, `hqgan.metrics.perceptual` and `hqgan.metrics.modes`.
        skin: see `hqgan.metrics.skin.report`.
        geometry: see `hqgan.evaluation.latent_geometry`; None for a folder, and where the latent is too large.
    """

    about: dict[str, Any]
    metrics: list[MetricRow]
    skin: dict[str, Any]
    geometry: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """What ``evaluation.json`` holds."""
        values = {**self.about, "metrics": [row.as_json() for row in self.metrics], "skin": self.skin}
        return values if self.geometry is None else {**values, "geometry": self.geometry}


def evaluate(
    target: Path,
    data_path: str | None,
    seed: int = 0,
    *,
    choice: ClassSelection = ALL_CLASSES,
    weights: Mapping[str, Path] | None = None,
    download: bool = False,
    reporter: Reporter = SILENT,
) -> Evaluation:
    """Measure a run, or a folder of images by class, on the test part of a data set.

    Args:
        target: a run's folder (as many images as the test part has, in its class mix, are generated), or
            ``folder/<class>/*.png``.
        data_path: the real data; None for the run's own.
        seed: of the noise and of all draws.
        choice: images and classes of the real data, for a folder; a run has its own.
        weights: files of pretrained networks (``inception``, ``dinov2``, ``alexnet``), by name.
        download: whether those that are neither given nor in the cache may be downloaded.
        reporter: receives messages and progress.

    Raises:
        UserError: data that the run was not trained on, unknown classes, no images.
    """
    if not target.exists():
        raise UserError(f"There is no run or folder at {target}.")
    loaded = load(target) if is_run(target) else None
    data, split = compared_with(target, loaded, data_path, seed, choice, reporter)
    split = evaluation_subset(split)
    generated = _generated(loaded, data, split, seed, reporter) if loaded else read_folder(target, data)[0]
    pretrained = PretrainedNetworks(weights or {}, cache_folder(None), download, reporter)
    held_out, train = data.at(split.test), data.at(split.train)
    reporter.message("measuring")
    extractors = extractors_of(data, split, reporter) + pretrained.extractors
    rows = evaluator.evaluate(generated, held_out, train, data.classes, extractors, seed=seed)
    rows += perceptual.rows(pretrained, generated, held_out, train, data.classes, seed)
    # Of a folder only as many of each class as keep the mix of the real ones: another mix looks like missing modes.
    mix = largest_mix(*(np.bincount(x.labels, minlength=len(data.classes)) for x in (generated, held_out)))
    places = [np.flatnonzero(generated.labels == c)[:k] for c, k in enumerate(mix)]
    mixed = generated.at(np.concatenate(places).astype(np.int64))
    if len(mixed):
        rows += _modes(extractors, mixed, held_out, train, seed)
    about = _about(target, loaded, data, seed)
    return Evaluation(
        about,
        [replace(row, config_hash=about.get("config_hash", "")) for row in rows],
        skin.report(mixed if len(mixed) else generated, held_out, data.classes, seed),
        _geometry(loaded, seed, reporter) if loaded else None,
    )


def _generated(loaded: Loaded, data: ImageData, split: Split, seed: int, reporter: Reporter) -> LabelledImages:
    """As many images of a run as the test part has, in its class mix."""
    labels = np.random.default_rng(seed).permutation(data.labels[split.test])
    reporter.message(f"generating {plural(len(labels), 'image')}")
    return LabelledImages(matched_images(loaded.generator, data.classes, labels, seed), labels)


def _modes(
    extractors: Sequence[FeatureExtractor],
    generated: LabelledImages,
    real: LabelledImages,
    train: LabelledImages,
    seed: int,
) -> list[MetricRow]:
    extractor = next(e for e in extractors if e.name == "derm")
    with one_thread():
        own, held_out, known = (extractor(x.images) for x in (generated, real, train))
        return mode_rows("derm", own, generated.labels, held_out, real.labels, known, extractor.hash, seed)


def _about(target: Path, loaded: Loaded | None, data: ImageData, seed: int) -> dict[str, Any]:
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
    return about


def _geometry(loaded: Loaded, seed: int, reporter: Reporter) -> dict[str, Any] | None:
    if loaded.generator.noise_size > MOST_DIMENSIONS:
        reporter.message(f"no latent geometry: the latent has {loaded.generator.noise_size:,} dimensions")
        return None
    reporter.message("measuring the latent geometry")
    return geometry(loaded, seed)
