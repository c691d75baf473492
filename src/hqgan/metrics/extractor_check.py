"""Judging the judges: whether a view ranks planted degradations of held-out real images as they deserve.

Every planted set is compared with one subset of the training images of the same size and class mix, and so are the
held-out images as they are (the floor). A measure of a view ranks right if

1. *grows*: no step to a stronger degradation makes the distance smaller by more than the noise;
2. *clear*: at full strength it lies above the floor by more than three times the noise, and above the mildest strength;
3. *counts*: at full strength a degradation of the pixels is at least a tenth as far as the PCA-Gaussian is;
4. *order*: the PCA-Gaussian, which is no lesion at all, lies farther than the mildest strength of every degradation of the
   pixels, and farther than real lesions blurred by two pixels;
5. *memory*: held-out images lie no farther from training images than two random parts of both lie from each other, by more
   than three times the noise and a fiftieth of the way to the PCA-Gaussian (a network that knows its training images lies).

The noise is that of real against real: the standard deviation of the distance when training and held-out images are mixed
and parted at random again and again (a permutation test's null distribution). Classes swapped leave a set as it was, so
that only the distance by class can see them: the mean of the kernel distance over classes that are large enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from hqgan.metrics import distances
from hqgan.metrics import graded_corruptions as plant
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.metrics.extractors.features import FeatureExtractor, extract
from hqgan.metrics.measure import SMALLEST, measure_distances, proportional
from hqgan.runtime.threads import one_thread

Report = Callable[[str], None]
Row = dict[str, Any]

COUNTS = 0.1
"""Least normalised distance of a pixel degradation at full strength."""

MIXED = 10
"""Random partings of training and held-out images that the noise is taken from."""

MEMORY = 0.02
"""Largest part of the way from floor to PCA-Gaussian that may be due to knowing the training images."""

BLURRED = 2
"""Blur, in pixels of 64, at which a lesion is still a lesion."""


def check_extractors(
    views: Sequence[FeatureExtractor],
    train: np.ndarray,
    train_labels: np.ndarray,
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    *,
    seed: int = 0,
    report: Report | None = None,
) -> list[Row]:
    """Measure the planted degradations in every view.

    Args:
        views: extractors fitted on the training images.
        train: (M, S, S, 3) uint8 training images.
        train_labels: (M,) class indices.
        held_out: (N, S, S, 3) uint8 images that nothing was fitted on; some hundreds at least.
        held_out_labels: (N,) class indices.
        seed: of every draw.
        report: called with the name of each degradation.

    Returns:
        One row for each view and distance: ``view``, ``measure`` (``fd``, ``kd`` or ``swd``), ``hash``, ``n``,
        ``seed``, ``floor``, ``mixed`` (the floor had the view no memory), ``noise``, ``bar`` (the PCA-Gaussian as shipped),
        ``degradations`` (name to a list of ``{strength, value, normalised}``, mild to full; classes swapped have a floor
        of their own, ``floor_by_class``, and no normalised value), ``right`` and ``reasons``, sentences on what is wrong.
    """
    rng = np.random.default_rng(seed)
    classes = int(max(train_labels.max(), held_out_labels.max())) + 1
    dropped = plant.droppable(held_out_labels)
    # As many as are left when all of `dropped` are: every set has one size, on which a Fréchet distance depends.
    n = int((~np.isin(held_out_labels, dropped)).sum())
    rows = _subset(held_out_labels, n, rng)
    base, labels = held_out[rows], held_out_labels[rows]
    counts = np.bincount(labels, minlength=classes)
    pools = [rng.permutation(np.flatnonzero(train_labels == c)) for c in range(classes)]
    reference_rows = np.concatenate([pool[:k] for pool, k in zip(pools, counts, strict=True)])
    reference = extract(views, train[reference_rows])
    reference_labels = train_labels[reference_rows]
    plain = extract(views, base)

    keys = [(view, kind) for view in views for kind in _kinds(view)]
    with one_thread():
        out = [_start(view, kind, plain[view.name], reference[view.name], seed) for view, kind in keys]
    for name, strength, images in _planted(held_out, held_out_labels, base, labels, train, train_labels, dropped, seed):
        if report:
            report(f"{name} {strength:g}")
        features = extract(views, images)
        with one_thread():
            measured = {v.name: measure_distances(v, features[v.name], reference[v.name]) for v in views}
        for row in out:
            if row["floor"] is not None:
                value = measured[row["view"]][row["measure"]][0]
                row["degradations"].setdefault(name, []).append({"strength": strength, "value": value})
    for row in out:
        if row["floor"] is None:
            continue
        gap = row["bar"] = row["degradations"]["pca_gaussian"][0]["value"]
        gap -= row["floor"]
        row["reasons"] += _faults(row)
        for points in row["degradations"].values():
            for point in points:
                point["normalised"] = (point["value"] - row["floor"]) / gap if gap > 0 else None
        if row["measure"] == "kd":
            view = row["view"]
            with one_thread():
                row["reasons"] += _swaps(row, plain[view], labels, reference[view], reference_labels, seed)
        row["right"] = not row["reasons"]
    return out


def _start(view: FeatureExtractor, kind: str, own: np.ndarray, reference: np.ndarray, seed: int) -> Row:
    """A row with floor and noise: of real against real, as they are and mixed."""
    row: Row = {"view": view.name, "measure": kind, "hash": view.hash, "n": len(own), "seed": seed}
    floor, _, why = measure_distances(view, own, reference)[kind]
    row |= {"floor": floor, "mixed": None, "noise": None, "bar": None, "degradations": {}, "right": False}
    row["reasons"] = [] if floor is not None else [why]
    if floor is not None:
        rng = np.random.default_rng(seed)
        both = np.concatenate([own, reference])
        values = []
        for _ in range(MIXED):
            order = rng.permutation(len(both))
            a, b = both[order[: len(own)]], both[order[len(own) :]]
            values.append(measure_distances(view, a, b)[kind][0] or 0.0)
        row["mixed"], row["noise"] = float(np.mean(values)), float(np.std(values, ddof=1))
    return row


def _kinds(view: FeatureExtractor) -> tuple[str, ...]:
    return ("swd",) if view.kind == "patches" else ("fd", "kd")


def _subset(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` places in the class mix of `labels`."""
    mix = proportional(np.bincount(labels), n)
    return np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:k] for c, k in enumerate(mix)])


def _planted(
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    base: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    train_labels: np.ndarray,
    dropped: Sequence[int],
    seed: int,
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Name, strength and images of each planted set, mild to full; all of one size."""
    for name, (change, strengths) in plant.PIXELS.items():
        for strength in strengths:
            yield name, strength, change(base, strength)
    for share in plant.REPEATS:
        yield "repeats", share, plant.repeat(base, share, seed)
    rng = np.random.default_rng(seed)
    for k in range(1, len(dropped) + 1):
        left = np.flatnonzero(~np.isin(held_out_labels, dropped[:k]))
        yield "classes_dropped", k, held_out[left[_subset(held_out_labels[left], len(base), rng)]]
    classes = int(max(train_labels.max(), labels.max())) + 1
    for components in plant.GAUSSIAN:
        sampler = fit_pca_gaussian(train, train_labels, classes, components)
        yield "pca_gaussian", components, sampler.sample(labels, seed)


def _faults(row: Row) -> list[str]:
    """Sentences on criteria 1 to 5."""
    floor, noise, bar, faults = row["floor"], row["noise"], row["bar"], []
    if floor - row["mixed"] > max(3 * noise, MEMORY * (bar - floor)):
        faults.append("held-out images lie farther from training images than the two do when mixed")
    for name, points in row["degradations"].items():
        faults += _growth(name, [p["value"] for p in points], floor, noise)
        full = points[-1]["value"]
        if name in plant.PIXELS:
            if full - floor < COUNTS * (bar - floor):
                faults.append(f"{name} hardly counts")
            if points[0]["value"] >= bar:
                faults.append(f"the mildest {name} lies farther than the PCA-Gaussian")
    if any(p["strength"] == BLURRED and p["value"] >= bar for p in row["degradations"]["blur"]):
        faults.append(f"blur of {BLURRED} pixels lies farther than the PCA-Gaussian")
    return faults


def _growth(name: str, values: Sequence[float], floor: float, noise: float) -> list[str]:
    """Sentences on criteria 1 and 2."""
    faults = []
    if any(b < a - noise for a, b in zip(values, values[1:], strict=False)):
        faults.append(f"{name} does not grow with its strength")
    if values[-1] <= floor + 3 * noise or (len(values) > 1 and values[-1] <= values[0]):
        faults.append(f"{name} at full strength does not stand clear of the floor")
    return faults


def _swaps(
    row: Row, own: np.ndarray, labels: np.ndarray, reference: np.ndarray, reference_labels: np.ndarray, seed: int
) -> list[str]:
    """Fill in ``classes_swapped``, by the mean kernel distance over classes; sentences on criteria 1 and 2."""
    counts = np.bincount(labels)
    large = [c for c in np.flatnonzero(counts) if counts[c] >= SMALLEST]
    if len(large) < 2:
        return []

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
    floor, noise = by_class(labels), float(np.std(mixed, ddof=1))
    values = [by_class(plant.swap_labels(labels, share, seed)) for share in plant.SWAPS]
    row["degradations"]["classes_swapped"] = [
        {"strength": share, "value": value, "normalised": None}
        for share, value in zip(plant.SWAPS, values, strict=True)
    ]
    row["floor_by_class"] = floor
    return _growth("classes_swapped", values, floor, noise)
