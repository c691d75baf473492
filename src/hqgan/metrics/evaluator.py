"""Generated images against held-out real ones, by every metric in every feature extractor.

Beside each value stand

- its *real reference* (real vs. real): training images against the same held-out images, at the same N and class counts, the
  mean of three draws;
- its *baseline*: the class-conditional PCA-Gaussian (`baseline`) fitted on the training images, likewise;
- *normalised* ``(value - real_reference) / (baseline - real_reference)``: 0 is as good as real images, 1 as bad as the
  PCA-Gaussian.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence

import numpy as np

from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.metrics.extractors.features import FeatureExtractor, extract
from hqgan.metrics.measure import MANIFOLD, SMALLEST, Measured, kernel, measure, proportional
from hqgan.metrics.record import MetricRow
from hqgan.runtime.threads import one_thread

DRAWS = 3
"""Draws of training images, and of the PCA-Gaussian, whose mean is the floor and the bar."""

Features = dict[str, np.ndarray]
Part = tuple[str | None, str]
"""A class's name, or None for all classes, and a view's name."""


class Evaluator:
    """Measures generated images again and again against one set of held-out real ones.

    Whatever does not depend on the generated images is computed once, here.

    Attributes:
        labels: (n,) int64, the classes of the real images compared over all, in shuffled order: generate these, and every
            row can be filled. More images, in any order and mix, do no harm; the surplus is left out.
        n: images a side, over all classes.
        rows: (n,) int64, which of the real images are compared over all, class by class.
    """

    def __init__(
        self,
        views: Sequence[FeatureExtractor],
        real: np.ndarray,
        real_labels: np.ndarray,
        train: np.ndarray,
        train_labels: np.ndarray,
        classes: Sequence[str],
        *,
        seed: int = 0,
        n: int | None = None,
        per_class: np.ndarray | None = None,
        thorough: bool = False,
        config_hash: str = "",
    ) -> None:
        """Prepare the real side, the floor and the bar.

        Args:
            views: extractors, as `features.load_views` gives them.
            real: (N, S, S, 3) uint8 held-out images; on which nothing was fitted.
            real_labels: (N,) class indices.
            train: (M, S, S, 3) uint8 training images.
            train_labels: (M,) class indices.
            classes: names; a label is an index into them.
            seed: of every draw.
            n: real images compared over all, in their own class mix; None for all of them.
            per_class: images compared by class, one number a class; None for all real ones.
            thorough: every measure by class, not the kernel distance alone.
            config_hash: of the run whose images are measured, for its rows; empty where unknown.
        """
        self._by_class = measure if thorough else _kernel_alone
        self.views, self.classes, self.seed = list(views), tuple(classes), seed
        self.config_hash = config_hash
        have = np.bincount(real_labels, minlength=len(classes))
        self._mix = proportional(have, have.sum() if n is None else n)
        self._each = np.minimum(have, have if per_class is None else np.asarray(per_class))
        self.n = int(self._mix.sum())
        rng = np.random.default_rng(seed)
        self.labels = rng.permutation(np.repeat(np.arange(len(classes)), self._mix))
        wanted = np.maximum(self._mix, self._each)
        order = [rng.permutation(np.flatnonzero(real_labels == c))[:k] for c, k in enumerate(wanted)]
        self._real = self._look(real, order)
        self.rows = np.concatenate(order).astype(np.int64)[_heads(self._real[1], self._mix)]
        floors, bars = [], []
        gaussian = fit_pca_gaussian(train, np.asarray(train_labels), len(classes))
        pools = [rng.permutation(np.flatnonzero(train_labels == c)) for c in range(len(classes))]
        for draw in range(DRAWS):
            rolled = [np.roll(pool, -draw * k)[:k] for pool, k in zip(pools, wanted, strict=True)]
            floors.append(self._measure(self._look(train, rolled), self.seed if draw == 0 else None))
            labels = np.repeat(np.arange(len(classes)), wanted)
            ends = np.cumsum([0, *wanted])
            places = [np.arange(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]
            bars.append(self._measure(self._look(gaussian.sample(labels, seed + draw), places), None))
        self._floors, self._bars = floors, bars

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> list[MetricRow]:
        """Measure generated images.

        Args:
            images: (N, S, S, 3) uint8.
            labels: (N,) class indices, of which `self.labels` are enough.

        Returns:
            A row for each metric, over all classes and by class; low and high are the value -+ 1.96 standard deviations;
            what cannot be computed has no value and a reason.
        """
        labels = np.asarray(labels)
        rng = np.random.default_rng(self.seed)
        wanted = np.maximum(self._mix, self._each)
        order = [rng.permutation(np.flatnonzero(labels == c))[:k] for c, k in enumerate(wanted)]
        measured = self._measure(self._look(images, order), self.seed)
        hashes = {view.name: view.hash for view in self.views}
        rows = []
        for (name, view), values in measured.items():
            for kind, (value, spread, reason) in values.items():
                floors = [f.get((name, view), {}).get(kind, (None, None, None)) for f in self._floors]
                bars = [b.get((name, view), {}).get(kind, (None, None, None)) for b in self._bars]
                floor, bar = _mean(floors), _mean(bars)
                normalised = None
                if value is not None and floor is not None and bar is not None:
                    if abs(bar - floor) > 3 * (floors[0][1] or 0.0):
                        normalised = (value - floor) / (bar - floor)
                    else:
                        reason = "not normalised: the PCA-Gaussian is not clearly farther than real images here"
                elif value is not None and floor is None:
                    reason = floors[0][2] or "no real reference: too few training images"
                low, high = (None, None) if value is None or spread is None else _interval(kind, value, spread)
                own = self.n if name is None else int(self._each[self.classes.index(name)])
                row = MetricRow(
                    distance=kind, extractor=view, class_name=name, value=value, low=low, high=high, real_reference=floor,
                    baseline=bar, normalised=normalised, n=own, reason=reason, seed=self.seed, extractor_hash=hashes[view],
                    config_hash=self.config_hash,
                )  # fmt: skip
                rows.append(row)
        return rows

    def features(
        self, images: np.ndarray, labels: np.ndarray, names: Collection[str]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By the views named, features (n, D) of generated images and of the real ones `rows`, for measures of one's own."""
        order = [np.flatnonzero(np.asarray(labels) == c)[:k] for c, k in enumerate(self._mix)]
        rows = np.concatenate(order).astype(np.int64)
        real = _heads(self._real[1], self._mix)
        made = extract([view for view in self.views if view.name in names], np.asarray(images[rows]))
        return {name: (own, self._real[0][name][real]) for name, own in made.items()}

    def _look(self, images: np.ndarray, order: Sequence[np.ndarray]) -> tuple[Features, list[int]]:
        """Features of images taken class by class, and how many there are of each class."""
        rows = np.concatenate(order).astype(np.int64)
        return extract(self.views, np.asarray(images[rows])), [len(o) for o in order]

    def _measure(self, sample: tuple[Features, list[int]], seed: int | None) -> dict[Part, Measured]:
        """Every measure of a sample against the real images, over all and by class."""
        with one_thread():
            return self._measure_parts(sample, seed)

    def _measure_parts(self, sample: tuple[Features, list[int]], seed: int | None) -> dict[Part, Measured]:
        features, counts = sample
        out: dict[Part, Measured] = {}
        over_all, real_over_all = _heads(counts, self._mix), _heads(self._real[1], self._mix)
        missing = [self.classes[c] for c in range(len(self.classes)) if counts[c] < self._mix[c]]
        for view in self.views:
            own, real = features[view.name], self._real[0][view.name]
            # A seed of its own for each view, the same whatever other views stand beside it.
            own_seed = None if seed is None else seed + zlib.crc32(view.name.encode())
            if missing:
                why = f"too few images of {', '.join(missing)} for the class mix of {self.n} real images"
                kinds = ("swd",) if view.kind == "patches" else ("fd", "kd", *MANIFOLD)
                out[None, view.name] = dict.fromkeys(kinds, (None, None, why))
            else:
                out[None, view.name] = measure(view, own[over_all], real[real_over_all], own_seed)
            if view.kind == "patches":
                continue
            for c, name in enumerate(self.classes):
                k = int(self._each[c])
                if min(k, counts[c]) < max(k, SMALLEST):
                    few, need = min(k, counts[c]), max(k, SMALLEST)
                    why = f"{few} images of {name} are too few; {need} are needed on each side"
                    out[name, view.name] = {"kd": (None, None, why)}
                    continue
                a = own[sum(counts[:c]) :][:k]
                b = real[sum(self._real[1][:c]) :][:k]
                out[name, view.name] = self._by_class(view, a, b, own_seed)
        return out


def evaluate(
    generated: np.ndarray,
    generated_labels: np.ndarray,
    real: np.ndarray,
    real_labels: np.ndarray,
    train: np.ndarray,
    train_labels: np.ndarray,
    classes: Sequence[str],
    views: Sequence[FeatureExtractor],
    *,
    seed: int = 0,
) -> list[MetricRow]:
    """Measure one set of generated images once, thoroughly; see `Evaluator` for arguments and rows.

    Takes as many images as the generated ones allow in the class mix of the real ones, and by class as many as both have.
    Where a class was not generated at all, the rows over all say so and the classes are still measured.
    """
    have = np.bincount(real_labels, minlength=len(classes))
    made = np.bincount(generated_labels, minlength=len(classes))
    n = int(mix_of(made, have).sum()) or int(have.sum())
    judge = Evaluator(
        views, real, real_labels, train, train_labels, classes, seed=seed, n=n, per_class=made, thorough=True
    )
    return judge(generated, generated_labels)


def mix_of(made: np.ndarray, have: np.ndarray) -> np.ndarray:
    """(C,) how many of `made` (C,) keep the class mix `have` (C,) of real images; noughts where a class was not made."""
    if (made[have > 0] == 0).any():
        return np.zeros(len(have), np.int64)
    n = int(have.sum())
    while n and (proportional(have, n) > made).any():
        n -= 1
    return proportional(have, n)


def _kernel_alone(view: FeatureExtractor, generated: np.ndarray, real: np.ndarray, seed: int | None) -> Measured:
    return {"kd": kernel(generated, real, seed)}


def _heads(counts: Sequence[int], wanted: np.ndarray) -> np.ndarray:
    """Places of the first `wanted` of each class in a sample that lies class by class."""
    starts = np.cumsum([0, *counts])[:-1]
    return np.concatenate([start + np.arange(k) for start, k in zip(starts, wanted, strict=True)]).astype(np.int64)


def _mean(values: list[tuple[float | None, float | None, str | None]]) -> float | None:
    known = [value for value, _, _ in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _interval(kind: str, value: float, spread: float) -> tuple[float, float]:
    """95 % by the normal distribution, inside the measure's range."""
    low, high = value - 1.96 * spread, value + 1.96 * spread
    if kind in ("precision", "recall", "coverage"):
        return max(low, 0.0), min(high, 1.0)
    return (low, high) if kind == "kd" else (max(low, 0.0), high)
