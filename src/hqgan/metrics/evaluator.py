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
from hqgan.metrics.extractors.extractor import FeatureExtractor, extract
from hqgan.metrics.record import MetricRow
from hqgan.metrics.subsampling import SMALLEST_CLASS, largest_mix, proportional
from hqgan.metrics.table import KERNEL_DISTANCE, VALUES, Measured, measure, metrics_of
from hqgan.runtime.threads import one_thread
from hqgan.types import LabelledImages

REFERENCE_DRAWS = 3
"""Draws of training images, and of the PCA-Gaussian, whose mean is the real reference and the baseline."""

CLEARANCE = 3.0
"""Standard deviations of the real reference by which the baseline has to differ from it for a normalised value."""

Features = dict[str, np.ndarray]
Part = tuple[str | None, str]
"""A class's name, or None for all classes, and an extractor's name."""


class Evaluator:
    """Compares sets of generated images with one set of held-out real images.

    Whatever does not depend on the generated images is computed once, here.

    Attributes:
        labels: (n,) int64, the classes of the real images compared over all classes, in shuffled order: with images of these
            classes every row can be filled. More images, in any order and mix, do no harm; the surplus is left out.
        n: images a side, over all classes.
        rows: (n,) int64, which of the real images are compared over all classes, class by class.
    """

    def __init__(
        self,
        extractors: Sequence[FeatureExtractor],
        real: LabelledImages,
        train: LabelledImages,
        classes: Sequence[str],
        *,
        seed: int = 0,
        n: int | None = None,
        per_class: np.ndarray | None = None,
        thorough: bool = False,
    ) -> None:
        """Compute the features of the real images, the real reference and the baseline.

        Args:
            extractors: as `features.load_extractors` gives them.
            real: held-out images, on which nothing was fitted.
            train: training images.
            classes: names; a label is an index into them.
            seed: of every draw.
            n: real images compared over all classes, in their own class mix; None for all of them.
            per_class: (C,) images compared by class; None for all real ones.
            thorough: every metric by class, not the kernel distance alone.
        """
        self._thorough = thorough
        self.extractors, self.classes, self.seed = list(extractors), tuple(classes), seed
        available = np.bincount(real.labels, minlength=len(classes))
        self._mix = proportional(available, available.sum() if n is None else n)
        self._by_class = np.minimum(available, available if per_class is None else np.asarray(per_class))
        self.n = int(self._mix.sum())
        rng = np.random.default_rng(seed)
        self.labels = rng.permutation(np.repeat(np.arange(len(classes)), self._mix))
        wanted = self._wanted = np.maximum(self._mix, self._by_class)
        order = [rng.permutation(np.flatnonzero(real.labels == c))[:k] for c, k in enumerate(wanted)]
        self._real = self._extract(real.images, order)
        self.rows = np.concatenate(order).astype(np.int64)[_heads(self._real[1], self._mix)]
        self._references: list[dict[Part, dict[str, Measured]]] = []
        self._baselines: list[dict[Part, dict[str, Measured]]] = []
        gaussian = fit_pca_gaussian(train.images, np.asarray(train.labels), len(classes))
        pools = [rng.permutation(np.flatnonzero(train.labels == c)) for c in range(len(classes))]
        for draw in range(REFERENCE_DRAWS):
            rolled = [np.roll(pool, -draw * k)[:k] for pool, k in zip(pools, wanted, strict=True)]
            sample = self._extract(train.images, rolled)
            self._references.append(self._measure(sample, self.seed if draw == 0 else None))
            labels = np.repeat(np.arange(len(classes)), wanted)
            places = np.split(np.arange(len(labels)), np.cumsum(wanted)[:-1])
            self._baselines.append(self._measure(self._extract(gaussian.sample(labels, seed + draw), places), None))

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
        order = [rng.permutation(np.flatnonzero(labels == c))[:k] for c, k in enumerate(self._wanted)]
        measured = self._measure(self._extract(images, order), self.seed)
        return [self._row(part, name, found) for part, values in measured.items() for name, found in values.items()]

    def _row(self, part: Part, name: str, found: Measured) -> MetricRow:
        """One value with its interval, real reference and baseline."""
        class_name, extractor = part
        references = [r.get(part, {}).get(name, Measured()) for r in self._references]
        reference = _mean(references)
        baseline = _mean([b.get(part, {}).get(name, Measured()) for b in self._baselines])
        value, reason, low, high, normalised = found.value, found.reason, None, None, None
        if value is not None and found.deviation is not None:
            low = max(value - 1.96 * found.deviation, VALUES[name].lowest)
            high = min(value + 1.96 * found.deviation, VALUES[name].highest)
        if value is not None and reference is not None and baseline is not None:
            if abs(baseline - reference) > CLEARANCE * (references[0].deviation or 0.0):
                normalised = (value - reference) / (baseline - reference)
            else:
                reason = "not normalised: the PCA-Gaussian is not clearly farther than real images here"
        elif value is not None and reference is None:
            reason = references[0].reason or "no real reference: too few training images"
        return MetricRow(
            distance=name,
            extractor=extractor,
            class_name=class_name,
            value=value,
            low=low,
            high=high,
            real_reference=reference,
            baseline=baseline,
            normalised=normalised,
            n=self.n if class_name is None else int(self._by_class[self.classes.index(class_name)]),
            reason=reason,
            seed=self.seed,
            extractor_hash=next(e.hash for e in self.extractors if e.name == extractor),
        )

    def features(
        self, images: np.ndarray, labels: np.ndarray, names: Collection[str]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By extractor named, features (n, D) of generated images and of the real ones `rows`, for metrics of one's own.

        Raises:
            ValueError: this evaluator has no extractor of one of the names.
        """
        if unknown := set(names) - {e.name for e in self.extractors}:
            raise ValueError(f"there is no extractor {sorted(unknown)[0]!r} here")
        order = [np.flatnonzero(np.asarray(labels) == c)[:k] for c, k in enumerate(self._mix)]
        rows = np.concatenate(order).astype(np.int64)
        real = _heads(self._real[1], self._mix)
        generated = extract([e for e in self.extractors if e.name in names], np.asarray(images[rows]))
        return {name: (own, self._real[0][name][real]) for name, own in generated.items()}

    def _extract(self, images: np.ndarray, order: Sequence[np.ndarray]) -> tuple[Features, list[int]]:
        """Features of images taken class by class, and how many there are of each class."""
        rows = np.concatenate(order).astype(np.int64)
        return extract(self.extractors, np.asarray(images[rows])), [len(o) for o in order]

    def _measure(self, sample: tuple[Features, list[int]], seed: int | None) -> dict[Part, dict[str, Measured]]:
        """Every metric of a sample against the real images, over all classes and by class."""
        features, counts = sample
        out: dict[Part, dict[str, Measured]] = {}
        over_all, real_over_all = _heads(counts, self._mix), _heads(self._real[1], self._mix)
        missing = [name for name, count, need in zip(self.classes, counts, self._mix, strict=True) if count < need]
        with one_thread():
            for extractor in self.extractors:
                own, real = features[extractor.name], self._real[0][extractor.name]
                metrics = metrics_of(extractor)
                # A seed of its own for each extractor, the same whatever other extractors stand beside it.
                own_seed = None if seed is None else seed + zlib.crc32(extractor.name.encode())
                if missing:
                    why = f"too few images of {', '.join(missing)} for the class mix of {self.n} real images"
                    out[None, extractor.name] = {name: Measured(reason=why) for m in metrics for name in m.values}
                else:
                    found = measure(metrics, extractor, own[over_all], real[real_over_all], own_seed)
                    out[None, extractor.name] = found
                if KERNEL_DISTANCE not in metrics:
                    continue
                for c, name in enumerate(self.classes):
                    k = int(self._by_class[c])
                    if min(k, counts[c]) < max(k, SMALLEST_CLASS):
                        few, need = min(k, counts[c]), max(k, SMALLEST_CLASS)
                        why = f"{few} images of {name} are too few; {need} are needed on each side"
                        out[name, extractor.name] = {"kd": Measured(reason=why)}
                        continue
                    a, b = own[sum(counts[:c]) :][:k], real[sum(self._real[1][:c]) :][:k]
                    by_class = metrics if self._thorough else [KERNEL_DISTANCE]
                    out[name, extractor.name] = measure(by_class, extractor, a, b, own_seed)
        return out


def evaluate(
    generated: LabelledImages,
    real: LabelledImages,
    train: LabelledImages,
    classes: Sequence[str],
    extractors: Sequence[FeatureExtractor],
    *,
    seed: int = 0,
) -> list[MetricRow]:
    """Measure one set of generated images once, thoroughly; see `Evaluator` for arguments and rows.

    Takes as many images as the generated ones allow in the class mix of the real ones, and by class as many as both have.
    Where a class was not generated at all, the rows over all classes say so and the other classes are still measured.
    """
    available = np.bincount(real.labels, minlength=len(classes))
    per_class = np.bincount(generated.labels, minlength=len(classes))
    n = int(largest_mix(per_class, available).sum()) or int(available.sum())
    evaluator = Evaluator(extractors, real, train, classes, seed=seed, n=n, per_class=per_class, thorough=True)
    return evaluator(generated.images, generated.labels)


def _heads(counts: Sequence[int], wanted: np.ndarray) -> np.ndarray:
    """Places of the first `wanted` of each class in a sample that lies class by class."""
    starts = np.cumsum([0, *counts])[:-1]
    return np.concatenate([start + np.arange(k) for start, k in zip(starts, wanted, strict=True)]).astype(np.int64)


def _mean(found: list[Measured]) -> float | None:
    known = [one.value for one in found if one.value is not None]
    return float(np.mean(known)) if len(known) == len(found) else None
