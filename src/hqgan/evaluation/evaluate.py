"""Measure generated images on the test part of a data set: a run's, or those in a folder by class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hqgan import config as configs
from hqgan import wording
from hqgan.config.sections import ClassSelection
from hqgan.data import ALL_CLASSES
from hqgan.data.cache import cache_folder
from hqgan.evaluation import latent_geometry
from hqgan.evaluation.extractors import extractors_of
from hqgan.evaluation.real_images import evaluation_subset, opened
from hqgan.evaluation.verdict import HEAD, verdict_of
from hqgan.metrics import evaluator, perceptual, skin
from hqgan.metrics.extractors.pretrained import PretrainedNetworks
from hqgan.metrics.modes import mode_rows
from hqgan.metrics.record import MetricRow
from hqgan.metrics.subsampling import largest_mix
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import one_thread
from hqgan.sampling.image_folder import read_folder
from hqgan.sampling.images import matched_images
from hqgan.types import LabelledImages


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
        found = verdict_of(self.metrics)
        about = {**self.about, "verdict": found.level, "sentence": found.sentence}
        values = {**about, "metrics": [row.as_json() for row in self.metrics], "skin": self.skin}
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
    loaded, data, split = opened(target, data_path, seed, choice, reporter)
    split = evaluation_subset(split)
    held_out, train = data.at(split.test), data.at(split.train)
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
        labels = np.random.default_rng(seed).permutation(held_out.labels)
        reporter.message(f"generating {wording.plural(len(labels), 'image')}")
        generated = LabelledImages(matched_images(loaded.generator, data.classes, labels, seed, reporter), labels)
    else:
        generated, _ = read_folder(target, data)
    counts = [np.bincount(side.labels, minlength=len(data.classes)) for side in (generated, held_out)]
    for sentence in evaluator.foreseen(counts[0], counts[1], data.classes):
        reporter.message(sentence)
    pretrained = PretrainedNetworks(weights or {}, cache_folder(None), download, reporter)
    reporter.message("measuring")
    extractors = extractors_of(data, split, reporter) + pretrained.extractors
    compared = evaluator.Comparison(generated, held_out, train, data.classes, seed)
    rows = evaluator.evaluate(compared, extractors, reporter)
    reporter.message("measuring similarity, modes and skin tone")
    rows += perceptual.rows(pretrained, compared)
    # Of a folder only as many of each class as keep the mix of the real ones: another mix looks like missing modes.
    mix = largest_mix(counts[0], counts[1])
    places = [np.flatnonzero(generated.labels == c)[:k] for c, k in enumerate(mix)]
    mixed = generated.at(np.concatenate(places).astype(np.int64))
    if len(mixed):
        derm = next(e for e in extractors if e.name == "derm")
        with one_thread():
            rows += mode_rows(derm, replace(compared, generated=mixed))
    rows = [replace(row, config_hash=about.get("config_hash", "")) for row in rows]
    tones = skin.report(mixed if len(mixed) else generated, held_out, data.classes, seed)
    return Evaluation(about, rows, tones, latent_geometry.geometry(loaded, seed, reporter) if loaded else None)


def summary_table(result: Evaluation) -> list[Any]:
    """The verdict of an evaluation, a rich table of the measures that it rests on, and where the rest is."""
    found = verdict_of(result.metrics)
    rows = wording.table(*HEAD, box=None)
    for row in found.rows:
        rows.add_row(*row)
    n = max((row.n for row in result.metrics if row.class_name is None), default=0)
    return [
        found.sentence,
        rows,
        f"{wording.plural(n, 'image')} a side, test part of {result.about['data']}. Distance: 0 is real against real images, 1 "
        "the simple baseline (PCA-Gaussian). --all prints the rest.",
    ]


def evaluation_table(result: Evaluation) -> list[Any]:
    """The verdict of an evaluation, and rich tables of all that was measured, over all classes and by class."""
    over_all = wording.table(
        *("metric", "value", "interval", "real vs. real", "PCA-Gaussian", "normalised", "N"),
        title=f"{result.about['target']} against the test part of {result.about['data']}",
        caption="normalised: 0 is real against real, 1 the PCA-Gaussian baseline; brackets: 95 % by subsampling",
    )
    absent: dict[str | None, list[str]] = {}
    for row in (r for r in result.metrics if r.class_name is None):
        if row.value is None:
            absent.setdefault(row.reason, []).append(row.label)
            continue
        forms = (
            "{value:.4g}",
            "[{low:.3g}, {high:.3g}]",
            "{real_reference:.3g}",
            "{baseline:.3g}",
            "{normalised:.3g}",
            "{n}",
        )
        over_all.add_row(row.label, *(wording.cell(form, **vars(row)) for form in forms))
    kernels = [r for r in result.metrics if r.class_name is not None and r.distance == "kd"]
    title, caption = "Kernel distance (KD) by class, normalised", "-: too few images on a side"
    classes = dict.fromkeys(str(r.class_name) for r in kernels)
    by_class = wording.table("extractor", *classes, title=title, caption=caption)
    for extractor in dict.fromkeys(r.extractor for r in kernels):
        own = {r.class_name: r.normalised for r in kernels if r.extractor == extractor}
        by_class.add_row(extractor, *(wording.cell("{:.3g}", own[name]) for name in classes))
    missing = [f"Not computed: {wording.listed(names)} ({reason})." for reason, names in absent.items()]
    latent = latent_geometry.table(result.geometry) if result.geometry else []
    return [verdict_of(result.metrics).sentence, over_all, *missing, by_class, *latent, *skin.sentences(result.skin)]
