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
from dataclasses import dataclass

import numpy as np

from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.metrics.extractors.extractor import FeatureExtractor, extract
from hqgan.metrics.record import MetricRow
from hqgan.metrics.subsampling import SMALLEST_CLASS, largest_mix, proportional
from hqgan.metrics.table import KERNEL_DISTANCE, VALUES, Measured, measure, metrics_of
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import one_thread
from hqgan.types import LabelledImages
from hqgan.wording import listed

REFERENCE_DRAWS = 3
"""Draws of training images, and of the PCA-Gaussian, whose mean is the real reference and the baseline."""

CLEARANCE = 3.0
"""Standard deviations of the real reference by which the baseline has to differ from it for a normalised value."""

Part = tuple[str | None, str]
"""A class's name, or None for all classes, and an extractor's name."""
Values = dict[Part, dict[str, Measured]]


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
        sizes: Sizes | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        """Compute the features of the real images, the real reference and the baseline.

        Args:
            extractors: as `fitted.load_extractors` gives them.
            real: held-out images, on which nothing was fitted.
            train: training images.
            classes: names; a label is an index into them.
            seed: of every draw.
            sizes: how many images are compared, and how; None for all real ones, and the kernel distance alone by class.
            reporter: receives how many of the sets of features are measured, as task ``measuring``.
        """
        self._thorough = sizes is not None and sizes.thorough
        self._reporter, self._measured = reporter, 0
        self.extractors, self.classes, self.seed = list(extractors), tuple(classes), seed
        available = np.bincount(real.labels, minlength=len(classes))
        self._mix = proportional(available, available.sum() if sizes is None else sizes.n)
        self._by_class = available if sizes is None else np.minimum(available, sizes.per_class)
        self.n = int(self._mix.sum())
        rng = np.random.default_rng(seed)
        self.labels = rng.permutation(np.repeat(np.arange(len(classes)), self._mix))
        wanted = self._wanted = np.maximum(self._mix, self._by_class)
        order = [rng.permutation(np.flatnonzero(real.labels == c))[:k] for c, k in enumerate(wanted)]
        self._real = self._extract(real.images, order)
        self.rows = _heads(order, self._mix).astype(np.int64)
        self._references: list[Values] = []
        self._baselines: list[Values] = []
        gaussian = fit_pca_gaussian(train.images, np.asarray(train.labels), len(classes))
        labels = np.repeat(np.arange(len(classes)), wanted)
        pools = [rng.permutation(np.flatnonzero(train.labels == c)) for c in range(len(classes))]
        for draw in range(REFERENCE_DRAWS):
            rolled = [np.roll(pool, -draw * k)[:k] for pool, k in zip(pools, wanted, strict=True)]
            self._references.append(self._measure(train.images, rolled, seed if draw == 0 else None))
            places = np.split(np.arange(len(labels)), np.cumsum(wanted)[:-1])
            self._baselines.append(self._measure(gaussian.sample(labels, seed + draw), places, None))

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
        self._measured = 2 * REFERENCE_DRAWS * len(self.extractors)
        measured = self._measure(images, order, self.seed)
        return [self._row(part, name, found) for part, values in measured.items() for name, found in values.items()]

    def _row(self, part: Part, name: str, found: Measured) -> MetricRow:
        """One value with its interval, real reference and baseline."""
        class_name, extractor = part
        references = [draw[part].get(name, Measured()) for draw in self._references]
        reference, baseline = _mean(references), _mean([draw[part].get(name, Measured()) for draw in self._baselines])
        reason, normalised = found.reason, None
        if found.value is not None and reference is None:
            reason = references[0].reason or "no real reference: too few training images"
        elif found.value is not None and reference is not None and baseline is not None:
            if abs(baseline - reference) > CLEARANCE * (references[0].deviation or 0.0):
                normalised = (found.value - reference) / (baseline - reference)
            else:
                reason = "not normalised: the PCA-Gaussian is not clearly farther than real images here"
        row = MetricRow(
            distance=name,
            extractor=extractor,
            class_name=class_name,
            value=found.value,
            real_reference=reference,
            baseline=baseline,
            normalised=normalised,
            n=self.n if class_name is None else int(self._by_class[self.classes.index(class_name)]),
            reason=reason,
            seed=self.seed,
            extractor_hash=next(e.hash for e in self.extractors if e.name == extractor),
        )
        return row.with_interval(found.deviation, VALUES[name].lowest, VALUES[name].highest)

    def images_needed(self, name: str, extractor: str) -> int | None:
        """Images a side that a kernel distance takes to be normalised, whatever is generated; None where it can be now, or never.

        An estimate from the real images alone: the noise of a kernel distance shrinks with their number.
        """
        reference, baseline = (draws[0][None, extractor].get(name) for draws in (self._references, self._baselines))
        if reference is None or baseline is None or None in (reference.value, reference.deviation, baseline.value):
            return None
        gap, noise = abs((baseline.value or 0.0) - (reference.value or 0.0)), CLEARANCE * (reference.deviation or 0.0)
        return None if noise < gap or not gap else int(np.ceil(self.n * noise / gap))

    def features(
        self, images: np.ndarray, labels: np.ndarray, names: Collection[str]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By extractor named, features (n, D) of generated images and of the real ones `rows`, for metrics of one's own."""
        order = [np.flatnonzero(np.asarray(labels) == c)[:k] for c, k in enumerate(self._mix)]
        rows = np.concatenate(order).astype(np.int64)
        generated = extract([e for e in self.extractors if e.name in names], np.asarray(images[rows]))
        return {name: (generated[name], _heads(self._real[name], self._mix)) for name in names}

    def _extract(self, images: np.ndarray, order: Sequence[np.ndarray]) -> dict[str, list[np.ndarray]]:
        """By extractor, features of the images at the places `order` of each class."""
        features = extract(self.extractors, np.asarray(images[np.concatenate(order).astype(np.int64)]))
        ends = np.cumsum([len(places) for places in order])[:-1]
        return {name: np.split(values, ends) for name, values in features.items()}

    def _measure(self, images: np.ndarray, order: Sequence[np.ndarray], seed: int | None) -> Values:
        """Every metric of a sample against the real images, over all classes and by class; arguments as `_extract`."""
        total = (2 * REFERENCE_DRAWS + 1) * len(self.extractors)
        self._reporter.progress("measuring", self._measured, total, "sets of features")
        features = self._extract(images, order)
        counts = [len(places) for places in order]
        out: Values = {}
        missing = [name for name, count, need in zip(self.classes, counts, self._mix, strict=True) if count < need]
        with one_thread():
            for extractor in self.extractors:
                own, real = features[extractor.name], self._real[extractor.name]
                metrics = metrics_of(extractor)
                # A seed of its own for each extractor, the same whatever other extractors stand beside it.
                own_seed = None if seed is None else seed + zlib.crc32(extractor.name.encode())
                if missing:
                    why = f"too few images of {', '.join(missing)} for the class mix of {self.n} real images"
                    found = {name: Measured(reason=why) for m in metrics for name in m.values}
                else:
                    sides = _heads(own, self._mix), _heads(real, self._mix)
                    found = measure(metrics, extractor, *sides, own_seed)
                out[None, extractor.name] = found
                self._measured += 1
                self._reporter.progress("measuring", self._measured, total, "sets of features")
                if KERNEL_DISTANCE not in metrics:
                    continue
                by_class = metrics if self._thorough else [KERNEL_DISTANCE]
                for c, (name, k) in enumerate(zip(self.classes, self._by_class.tolist(), strict=True)):
                    few, need = min(k, counts[c]), max(k, SMALLEST_CLASS)
                    if few < need:
                        why = f"{few} images of {name} are too few; {need} are needed on each side"
                        found = {"kd": Measured(reason=why)}
                    else:
                        found = measure(by_class, extractor, own[c][:k], real[c][:k], own_seed)
                    out[name, extractor.name] = found
        return out


@dataclass(frozen=True)
class Sizes:
    """How many images are compared.

    Attributes:
        n: real images compared over all classes, in their own class mix.
        per_class: (C,) images compared by class.
        thorough: every metric by class, not the kernel distance alone.
    """

    n: int
    per_class: np.ndarray
    thorough: bool = False


@dataclass(frozen=True)
class Comparison:
    """Generated images, and the real ones that they are compared with.

    Attributes:
        generated: the generated images.
        real: held-out images, on which nothing was fitted.
        train: training images, for real references.
        classes: names; a label is an index into them.
        seed: of every draw.
    """

    generated: LabelledImages
    real: LabelledImages
    train: LabelledImages
    classes: Sequence[str]
    seed: int = 0


def evaluate(
    compared: Comparison, extractors: Sequence[FeatureExtractor], reporter: Reporter = SILENT
) -> list[MetricRow]:
    """Measure one set of generated images once, thoroughly; see `Evaluator` for rows and for the reporter.

    Takes as many images as the generated ones allow in the class mix of the real ones, and by class as many as both have.
    Where a class was not generated at all, the rows over all classes say so and the other classes are still measured.
    """
    generated, real, classes = compared.generated, compared.real, compared.classes
    available = np.bincount(real.labels, minlength=len(classes))
    per_class = np.bincount(generated.labels, minlength=len(classes))
    n = int(largest_mix(per_class, available).sum()) or int(available.sum())
    sizes = Sizes(n, per_class, thorough=True)
    evaluator = Evaluator(extractors, real, compared.train, classes, seed=compared.seed, sizes=sizes, reporter=reporter)
    return evaluator(generated.images, generated.labels)


def foreseen(generated: np.ndarray, real: np.ndarray, classes: Sequence[str]) -> list[str]:
    """What will not be measured because of the numbers of images, and how many it takes; empty where all will be.

    Args:
        generated: (C,) images of each class.
        real: (C,) held-out ones.
        classes: names.
    """
    said = []
    if absent := [name for name, a, b in zip(classes, generated, real, strict=True) if b and not a]:
        said.append(
            f"nothing will be measured over all classes: no images of {listed(absent)} were given; generate them, or select the "
            "other classes of the real data"
        )
    sides = list(zip(classes, generated.tolist(), real.tolist(), strict=True))
    if small := [f"{name} ({a} and {b})" for name, a, b in sides if a and min(a, b) < SMALLEST_CLASS]:
        said.append(
            f"not measured by class, which takes {SMALLEST_CLASS} generated and {SMALLEST_CLASS} real images: {listed(small)}"
        )
    return said


def _heads(parts: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """The first `counts` of each class's part."""
    return np.concatenate([part[:k] for part, k in zip(parts, counts, strict=True)])


def _mean(found: list[Measured]) -> float | None:
    known = [one.value for one in found if one.value is not None]
    return float(np.mean(known)) if len(known) == len(found) else None
