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

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hqgan.metrics import distances
from hqgan.metrics import graded_corruptions as graded
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.metrics.extractors.extractor import FeatureExtractor, extract
from hqgan.metrics.subsampling import SMALLEST_CLASS, proportional
from hqgan.metrics.table import Measured, Metric, measure, metrics_of
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
    features, train_features = extract(extractors, base.images), extract(extractors, reference.images)

    corruptions: dict[tuple[str, str], dict[str, list[Corrupted]]] = defaultdict(dict)
    for name, strength, images in _corrupted(held_out, base, train, dropped, seed):
        reporter.message(f"corrupting test images: {name} {strength:g}")
        corrupted = extract(extractors, images)
        for e in extractors:
            with one_thread():
                found = measure(metrics_of(e, distances_only=True), e, corrupted[e.name], train_features[e.name])
            for distance, one in found.items():
                if one.value is not None:
                    corruptions[e.name, distance].setdefault(name, []).append(Corrupted(strength, one.value))
    rows = []
    with one_thread():
        for e in extractors:
            sides = (features[e.name], base.labels), (train_features[e.name], reference.labels)
            for metric in metrics_of(e, distances_only=True):
                rows += [_check(e, metric, name, *sides, corruptions[e.name, name], seed) for name in metric.values]
    return rows


def _check(
    extractor: FeatureExtractor,
    metric: Metric,
    distance: str,
    held_out: distances.Labelled,
    train: distances.Labelled,
    corruptions: dict[str, list[Corrupted]],
    seed: int,
) -> ExtractorCheck:
    """A row: the noise of real images against real ones, normalised values, swapped classes and the verdict."""

    def measured(own: np.ndarray, other: np.ndarray) -> Measured:
        return measure([metric], extractor, own, other)[distance]

    row = ExtractorCheck(extractor.name, distance, extractor.hash, len(held_out[0]), seed)
    found = measured(held_out[0], train[0])
    if found.value is None:
        return replace(row, reasons=(found.reason or "",))
    reference = found.value
    mixed, noise = _mixed([(held_out[0], train[0])], lambda a, b: measured(a, b).value or 0.0, seed)
    baseline = corruptions["pca_gaussian"][0].value
    gap = baseline - reference
    reasons = []
    if reference - mixed > max(3 * noise, MEMORY * gap):
        reasons.append("held-out images lie farther from training images than the two do when mixed")
    for name, points in corruptions.items():
        reasons += _growth(name, [p.value for p in points], reference, noise)
        if name in graded.PIXELS:
            if points[-1].value - reference < COUNTS * gap:
                reasons.append(f"{name} hardly counts")
            if points[0].value >= baseline:
                reasons.append(f"the mildest {name} lies farther than the PCA-Gaussian")
    if any(p.strength == BLURRED and p.value >= baseline for p in corruptions["blur"]):
        reasons.append(f"blur of {BLURRED} pixels lies farther than the PCA-Gaussian")
    normalised = {
        name: [replace(p, normalised=(p.value - reference) / gap if gap > 0 else None) for p in points]
        for name, points in corruptions.items()
    }
    by_class = None
    if distance == "kd" and (swapped := _swapped(held_out, train, seed)):
        by_class, noise_by_class, points = swapped
        normalised["classes_swapped"] = points
        reasons += _growth("classes_swapped", [p.value for p in points], by_class, noise_by_class)
    row = replace(row, real_reference=reference, mixed=mixed, noise=noise, baseline=baseline)
    return replace(row, corruptions=normalised, real_reference_by_class=by_class, reasons=tuple(reasons))


def _subset(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` places in the class mix of `labels`."""
    mix = proportional(np.bincount(labels), n)
    return np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:k] for c, k in enumerate(mix)])


def _corrupted(
    held_out: LabelledImages,
    base: LabelledImages,
    train: LabelledImages,
    dropped: Sequence[int],
    seed: int,
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


def _swapped(
    held_out: distances.Labelled, train: distances.Labelled, seed: int
) -> tuple[float, float, list[Corrupted]] | None:
    """By the mean kernel distance over classes: real reference, noise, and the distance with labels swapped."""
    own, labels = held_out
    counts = np.bincount(labels)
    large = [c for c in np.flatnonzero(counts) if counts[c] >= SMALLEST_CLASS]
    if len(large) < 2:
        return None

    def sides(given: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(own[given == c], train[0][train[1] == c]) for c in large]

    def by_class(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        return float(np.mean([distances.kernel(*pair) for pair in pairs]))

    points = [Corrupted(s, by_class(sides(graded.swap_labels(labels, s, seed)))) for s in graded.SWAPS]
    _, noise = _mixed(sides(labels), distances.kernel, seed)
    return by_class(sides(labels)), noise, points


def _mixed(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], distance: Callable[[np.ndarray, np.ndarray], float], seed: int
) -> tuple[float, float]:
    """Mean and deviation of a distance, itself a mean over pairs of sets, when the two of each are mixed and split at random."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(MIXED):
        both = [(rng.permutation(np.concatenate(pair)), len(pair[0])) for pair in pairs]
        values.append(np.mean([distance(images[:n], images[n:]) for images, n in both]))
    return float(np.mean(values)), float(np.std(values, ddof=1))
