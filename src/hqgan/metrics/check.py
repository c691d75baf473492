"""Judging the judges: does a view rank planted degradations of held-out real images as they deserve?

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
and parted at random again and again (a permutation test's null distribution). Classes swapped leave a set as it was, so that only the
distance by class can see them: the mean of the kernel distance over classes that are large enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hqgan.metrics import degradations as plant
from hqgan.metrics.features import View, extract
from hqgan.metrics.gaussian import fit_pca_gaussian
from hqgan.metrics.measures import SMALLEST, Row, kernel, measure_distances, proportional

Report = Callable[[str], None]

COUNTS = 0.1
"""Least normalised distance of a pixel degradation at full strength."""

MIXED = 10
"""Random partings of training and held-out images that the noise is taken from."""

MEMORY = 0.02
"""Largest part of the way from floor to PCA-Gaussian that may be due to knowing the training images."""

BLURRED = 2
"""Blur, in pixels of 64, at which a lesion is still a lesion."""


def check_extractors(
    views: Sequence[View],
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
        One row for each view and distance: ``view``, ``measure`` (``frechet``, ``kernel`` or ``sliced``), ``hash``, ``n``,
        ``seed``, ``floor``, ``mixed`` (the floor had the view no memory), ``noise``, ``bar`` (the PCA-Gaussian as shipped),
        ``degradations`` (name to a list of
        ``{strength, value, normalised}``, mild to full), ``right`` and ``reasons``, sentences on what is wrong.
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
    out: list[Row] = []
    for view, kind in keys:
        floor, _, why = measure_distances(view, plain[view.name], reference[view.name])[kind]
        mixed, noise = _null(view, kind, plain[view.name], reference[view.name], seed) if floor is not None else (None, None)
        out.append(
            {
                "view": view.name,
                "measure": kind,
                "hash": view.hash,
                "n": n,
                "seed": seed,
                "floor": floor,
                "mixed": mixed,
                "noise": noise,
                "bar": None,
                "degradations": {},
                "right": False,
                "reasons": [] if floor is not None else [why],
            }
        )
    for name, strength, images in _planted(held_out, held_out_labels, base, labels, train, train_labels, dropped, seed):
        if report:
            report(f"{name} {strength:g}")
        features = extract(views, images)
        for view in views:
            measured = measure_distances(view, features[view.name], reference[view.name])
            for row in out:
                if row["view"] == view.name:
                    value = measured[row["measure"]][0]
                    row["degradations"].setdefault(name, []).append({"strength": strength, "value": value})
    for row, (view, _) in zip(out, keys, strict=True):
        if row["floor"] is None:
            continue
        row["bar"] = row["degradations"]["pca_gaussian"][0]["value"]
        row["reasons"] += _faults(row)
        if row["measure"] == "kernel":
            row["reasons"] += _swaps(row, plain[view.name], labels, reference[view.name], reference_labels, seed)
        gap = row["bar"] - row["floor"]
        if row["floor"] - row["mixed"] > max(3 * row["noise"], MEMORY * gap):
            row["reasons"].append("held-out images lie farther from training images than the two do when mixed")
        for points in row["degradations"].values():
            for point in points:
                # Swaps have a floor of their own, by class, and so nothing to be normalised by.
                comparable = points is not row["degradations"].get("classes_swapped") and gap > 0
                point["normalised"] = (point["value"] - row["floor"]) / gap if comparable else None
        row["right"] = not row["reasons"]
    return out


def _kinds(view: View) -> tuple[str, ...]:
    return ("sliced",) if view.kind == "patches" else ("frechet", "kernel")


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
    """Sentences on criteria 1 to 4."""
    floor, noise, bar, faults = row["floor"], row["noise"] or 0.0, row["bar"], []
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

    def by_class(given: np.ndarray, spread: bool = False) -> tuple[float, float]:
        each = [
            kernel(own[given == c], reference[reference_labels == c], seed if spread else None) for c in large
        ]
        deviations = [s or 0.0 for _, s, _ in each]
        return float(np.mean([v for v, _, _ in each])), float(np.sqrt(np.square(deviations).sum()) / len(large))

    floor, noise = by_class(labels, spread=True)
    points = []
    for share in plant.SWAPS:
        value, _ = by_class(plant.swap_labels(labels, share, seed))
        points.append({"strength": share, "value": value})
    row["degradations"]["classes_swapped"] = points
    row["floor_by_class"] = floor
    return _growth("classes_swapped", [p["value"] for p in points], floor, noise)


def _null(
    view: View, kind: str, own: np.ndarray, reference: np.ndarray, seed: int | None
) -> tuple[float, float]:
    """Mean and standard deviation of a distance between random parts of both sets together."""
    rng = np.random.default_rng(seed)
    both = np.concatenate([own, reference])
    values = []
    for _ in range(MIXED):
        order = rng.permutation(len(both))
        values.append(measure_distances(view, both[order[: len(own)]], both[order[len(own) :]])[kind][0])
    return float(np.mean(np.array(values, np.float64))), float(np.std(np.array(values, np.float64), ddof=1))
