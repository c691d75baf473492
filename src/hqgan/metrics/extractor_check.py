"""Extractor check: whether distances in a feature extractor grow as held-out real images are corrupted more and more.

Every corrupted set is compared with one subset of the training images of the same size and class mix, and so are the
held-out images as they are (the real reference). An extractor passes with a distance if

1. *grows*: no step to a stronger corruption makes the distance smaller by more than the noise;
2. *clear*: at full strength it exceeds the real reference by more than three times the noise, and the mildest strength;
3. *counts*: at full strength a corruption of the pixels is at least a tenth as far as the PCA-Gaussian is;
4. *order*: the PCA-Gaussian, which is no lesion at all, lies farther than the mildest strength of every corruption of the
   pixels, and farther than real lesions blurred by two pixels;
5. *memory*: held-out images lie no farther from training images than two random parts of both lie from each other, by more
   than three times the noise and a fiftieth of the way to the PCA-Gaussian (a network that knows its training images lies).

The noise is that of real against real: the standard deviation of the distance when training and held-out images are mixed
and split at random again and again (a permutation test's null distribution). Swapping classes leaves a set as it was, so
that only the distance by class can see it: the mean of the kernel distance over classes that are large enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hqgan.metrics import distances
from hqgan.metrics import graded_corruptions as graded
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.metrics.extractors.extractor import FeatureExtractor, extract
from hqgan.metrics.subsampling import SMALLEST_CLASS, proportional
from hqgan.metrics.table import Measured, measure, metrics_of
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import one_thread
from hqgan.types import LabelledImages

COUNTS = 0.1
"""Smallest normalised distance of a pixel corruption at full strength."""

MIXED = 10
"""Random splits of training and held-out images that the noise is taken from."""

MEMORY = 0.02
"""Largest part of the way from real reference to PCA-Gaussian that may be due to knowing the training images."""

BLURRED = 2
"""Blur, in pixels of 64, at which a lesion is still a lesion."""


@dataclass(frozen=True)
class Corrupted:
    """The distance at one strength of a corruption; normalised as in `record.MetricRow`, None where it cannot be."""

    strength: float
    value: float
    normalised: float | None = None


@dataclass(frozen=True)
class ExtractorCheck:
    """Distances of corrupted images by one metric in one feature extractor, and whether they rank the corruptions correctly.

    Attributes:
        extractor: name of the feature extractor.
        distance: ``fd``, ``kd`` or ``swd``.
        extractor_hash: of the extractor.
        n: images on each side.
        seed: of every draw.
        real_reference: distance of held-out images as they are; None where there are too few.
        mixed: what the real reference would be if the extractor knew no training image.
        noise: standard deviation of the latter.
        baseline: distance of the PCA-Gaussian with all its components.
        corruptions: by name, from the mildest strength to full. Swapped classes are compared with a real reference of their
            own, `real_reference_by_class`, and not normalised.
        reasons: sentences on what is wrong; the extractor passes where there are none.
    """

    extractor: str
    distance: str
    extractor_hash: str
    n: int
    seed: int
    real_reference: float | None = None
    mixed: float | None = None
    noise: float | None = None
    baseline: float | None = None
    real_reference_by_class: float | None = None
    corruptions: dict[str, list[Corrupted]] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the distance ranks the corruptions right."""
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class _Sets:
    """Held-out and training images of equal number and class mix, with their features by extractor."""

    labels: np.ndarray
    features: dict[str, np.ndarray]
    train_labels: np.ndarray
    train_features: dict[str, np.ndarray]


def check_extractors(
    extractors: Sequence[FeatureExtractor],
    train: LabelledImages,
    held_out: LabelledImages,
    *,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> list[ExtractorCheck]:
    """Measure corrupted held-out images with every distance in every feature extractor.

    Args:
        extractors: fitted on the training images.
        train: training images.
        held_out: images that nothing was fitted on; some hundreds at least.
        seed: of every draw.
        reporter: receives the name of each corruption.

    Returns:
        One row for each extractor and distance.
    """
    rng = np.random.default_rng(seed)
    classes = int(max(train.labels.max(), held_out.labels.max())) + 1
    dropped = graded.droppable(held_out.labels)
    # As many as are left when all of `dropped` are: every set has one size, on which a Fréchet distance depends.
    n = int((~np.isin(held_out.labels, dropped)).sum())
    base = held_out.at(_subset(held_out.labels, n, rng))
    counts = np.bincount(base.labels, minlength=classes)
    pools = [rng.permutation(np.flatnonzero(train.labels == c)) for c in range(classes)]
    reference = train.at(np.concatenate([pool[:k] for pool, k in zip(pools, counts, strict=True)]))
    reference_features = extract(extractors, reference.images)
    sets = _Sets(base.labels, extract(extractors, base.images), reference.labels, reference_features)

    with one_thread():
        rows = [
            _start(extractor, name, sets, seed)
            for extractor in extractors
            for metric in metrics_of(extractor, distances_only=True)
            for name in metric.values
        ]
    for name, strength, images in _corrupted(held_out, base, train, dropped, seed):
        reporter.message(f"corrupting test images: {name} {strength:g}")
        features = extract(extractors, images)
        with one_thread():
            found = {e.name: _distances(e, features[e.name], sets.train_features[e.name]) for e in extractors}
        for row in rows:
            value = found[row.extractor][row.distance].value
            if row.real_reference is not None and value is not None:
                row.corruptions.setdefault(name, []).append(Corrupted(strength, value))
    with one_thread():
        return [_finish(row, sets, seed) for row in rows]


def _distances(extractor: FeatureExtractor, generated: np.ndarray, real: np.ndarray) -> dict[str, Measured]:
    return measure(metrics_of(extractor, distances_only=True), extractor, generated, real)


def _start(extractor: FeatureExtractor, name: str, sets: _Sets, seed: int) -> ExtractorCheck:
    """A row with real reference and noise: real images against real ones, as they are and mixed."""
    own, reference = sets.features[extractor.name], sets.train_features[extractor.name]
    row = ExtractorCheck(extractor.name, name, extractor.hash, len(own), seed)
    found = _distances(extractor, own, reference)[name]
    if found.value is None:
        return replace(row, reasons=(found.reason or "",))
    rng = np.random.default_rng(seed)
    both = np.concatenate([own, reference])
    values = []
    for _ in range(MIXED):
        order = rng.permutation(len(both))
        a, b = both[order[: len(own)]], both[order[len(own) :]]
        values.append(_distances(extractor, a, b)[name].value or 0.0)
    return replace(row, real_reference=found.value, mixed=float(np.mean(values)), noise=float(np.std(values, ddof=1)))


def _finish(row: ExtractorCheck, sets: _Sets, seed: int) -> ExtractorCheck:
    """The row with its baseline, normalised values, swapped classes and verdict."""
    reference, mixed, noise = row.real_reference, row.mixed, row.noise
    if reference is None or mixed is None or noise is None:
        return row
    baseline = row.corruptions["pca_gaussian"][0].value
    gap = baseline - reference
    reasons = []
    if reference - mixed > max(3 * noise, MEMORY * gap):
        reasons.append("held-out images lie farther from training images than the two do when mixed")
    for name, points in row.corruptions.items():
        reasons += _growth(name, [p.value for p in points], reference, noise)
        if name in graded.PIXELS:
            if points[-1].value - reference < COUNTS * gap:
                reasons.append(f"{name} hardly counts")
            if points[0].value >= baseline:
                reasons.append(f"the mildest {name} lies farther than the PCA-Gaussian")
    if any(p.strength == BLURRED and p.value >= baseline for p in row.corruptions["blur"]):
        reasons.append(f"blur of {BLURRED} pixels lies farther than the PCA-Gaussian")
    corruptions = {
        name: [replace(p, normalised=(p.value - reference) / gap if gap > 0 else None) for p in points]
        for name, points in row.corruptions.items()
    }
    by_class = None
    if row.distance == "kd" and (swapped := _swapped(row.extractor, sets, seed)):
        by_class, noise_by_class, points = swapped
        corruptions["classes_swapped"] = points
        reasons += _growth("classes_swapped", [p.value for p in points], by_class, noise_by_class)
    return replace(
        row, baseline=baseline, corruptions=corruptions, real_reference_by_class=by_class, reasons=tuple(reasons)
    )


def _subset(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` places in the class mix of `labels`."""
    mix = proportional(np.bincount(labels), n)
    return np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:k] for c, k in enumerate(mix)])


def _corrupted(
    held_out: LabelledImages, base: LabelledImages, train: LabelledImages, dropped: Sequence[int], seed: int
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Name, strength and images of each corrupted set, mild to full; all of one size."""
    for name, (change, strengths) in graded.PIXELS.items():
        for strength in strengths:
            yield name, strength, change(base.images, strength)
    for share in graded.REPEATS:
        yield "repeats", share, graded.repeat(base.images, share, seed)
    rng = np.random.default_rng(seed)
    for k in range(1, len(dropped) + 1):
        left = np.flatnonzero(~np.isin(held_out.labels, dropped[:k]))
        yield "classes_dropped", k, held_out.images[left[_subset(held_out.labels[left], len(base), rng)]]
    classes = int(max(train.labels.max(), base.labels.max())) + 1
    for components in graded.GAUSSIAN:
        sampler = fit_pca_gaussian(train.images, train.labels, classes, components)
        yield "pca_gaussian", components, sampler.sample(base.labels, seed)


def _growth(name: str, values: Sequence[float], reference: float, noise: float) -> list[str]:
    """Sentences on criteria 1 and 2."""
    faults = []
    if any(b < a - noise for a, b in zip(values, values[1:], strict=False)):
        faults.append(f"{name} does not grow with its strength")
    if values[-1] <= reference + 3 * noise or (len(values) > 1 and values[-1] <= values[0]):
        faults.append(f"{name} at full strength does not clearly exceed the real reference")
    return faults


def _swapped(extractor: str, sets: _Sets, seed: int) -> tuple[float, float, list[Corrupted]] | None:
    """By the mean kernel distance over classes: real reference, noise, and the distance with labels swapped."""
    own, labels = sets.features[extractor], sets.labels
    reference, reference_labels = sets.train_features[extractor], sets.train_labels
    counts = np.bincount(labels)
    large = [c for c in np.flatnonzero(counts) if counts[c] >= SMALLEST_CLASS]
    if len(large) < 2:
        return None

    def by_class(given: np.ndarray) -> float:
        pairs = [(own[given == c], reference[reference_labels == c]) for c in large]
        return float(np.mean([distances.kernel(*pair) for pair in pairs]))

    rng = np.random.default_rng(seed)
    mixed = []
    for _ in range(MIXED):
        each = []
        for c in large:
            both = rng.permutation(np.concatenate([own[labels == c], reference[reference_labels == c]]))
            each.append(distances.kernel(both[: counts[c]], both[counts[c] :]))
        mixed.append(np.mean(each))
    values = [by_class(graded.swap_labels(labels, share, seed)) for share in graded.SWAPS]
    points = [Corrupted(share, value) for share, value in zip(graded.SWAPS, values, strict=True)]
    return by_class(labels), float(np.std(mixed, ddof=1)), points
