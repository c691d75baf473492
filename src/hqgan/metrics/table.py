"""The metrics between two sets of features, one row each. A new metric is a function and a row of `METRICS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from hqgan.metrics import distances, prdc
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.subsampling import HALVES, Statistic, value_and_deviation


@dataclass(frozen=True)
class Value:
    """One value of a metric: what people call it, and its range, to which intervals are cut."""

    label: str
    lowest: float = 0.0
    highest: float = inf


@dataclass(frozen=True)
class Metric:
    """A metric, or several that are computed together.

    Attributes:
        values: by name, as a row's `distance` has it.
        prepare: from generated features (N, D), real ones (M, D) and the extractor's width to the metric as a function of
            the places taken of each, with all that the places share (kernel matrices, pairwise distances) computed once.
        reason: from images a side and features: why there is no value; None where there is one.
        interval_reason: likewise for the interval.
        kind: of the extractors whose features it takes.
        is_distance: whether it grows as images get worse, so that `extractor_check` can test extractors by it.
        halves: half-samples for its standard deviation.
    """

    values: dict[str, Value]
    prepare: Callable[[np.ndarray, np.ndarray, int], Statistic]
    reason: Callable[[int, int], str | None]
    interval_reason: Callable[[int, int], str | None] = lambda n, width: None
    kind: str = "features"
    is_distance: bool = True
    halves: int = HALVES


@dataclass(frozen=True)
class Measured:
    """A value with its standard deviation, each None where it cannot be computed, for a `reason`."""

    value: float | None = None
    deviation: float | None = None
    reason: str | None = None


def _frechet(generated: np.ndarray, real: np.ndarray, width: int) -> Statistic:
    return lambda i, j: distances.frechet(generated[i], real[j])


def _kernel(generated: np.ndarray, real: np.ndarray, width: int) -> Statistic:
    gg, rr, gr = (distances.gram(*p) for p in ((generated, generated), (real, real), (generated, real)))
    return lambda i, j: distances.mmd2(gg[np.ix_(i, i)], rr[np.ix_(j, j)], gr[np.ix_(i, j)])


def _sliced_wasserstein(generated: np.ndarray, real: np.ndarray, width: int) -> Statistic:
    a, b = (x.reshape(len(x), -1, width) for x in (generated, real))
    return lambda i, j: distances.sliced_wasserstein(a[i].reshape(-1, width), b[j].reshape(-1, width))


def _prdc(generated: np.ndarray, real: np.ndarray, width: int) -> Statistic:
    rr, gg, rg = (distances.pairwise(*p) for p in ((real, real), (generated, generated), (real, generated)))
    return lambda i, j: prdc.prdc(rr[np.ix_(j, j)], gg[np.ix_(i, i)], rg[np.ix_(j, i)])


def _too_few(n: int, width: int) -> str | None:
    return f"{n} images are too few for a distance; 4 are needed" if n < 4 else None


def _too_few_neighbours(n: int, width: int) -> str | None:
    k = prdc.NEIGHBOURS
    return f"{n} images are too few for {k} nearest neighbours in halves of them" if n // 2 <= k else None


METRICS = (
    Metric(
        {"fd": Value("FD")},
        _frechet,
        reason=lambda n, width: _too_few(n, width) or distances.frechet_reason(n, width),
        interval_reason=lambda n, width: distances.frechet_reason(n // 2, width),
    ),
    Metric({"kd": Value("KD", lowest=-inf)}, _kernel, reason=_too_few),
    Metric(
        {"precision": Value("Precision", highest=1.0), "recall": Value("Recall", highest=1.0), "density": Value("Density"),
         "coverage": Value("Coverage", highest=1.0)},
        _prdc,
        reason=_too_few_neighbours,
        is_distance=False,
    ),
    # Sorting all patches again is expensive, and a deviation needs only a few halves.
    Metric(
        {"swd": Value("SWD")},
        _sliced_wasserstein,
        reason=lambda n, width: None if n else "no images",
        kind="patches",
        halves=HALVES // 3,
    ),
)  # fmt: skip
"""Every metric between two sets of features, in the order of reports."""

VALUES = {name: value for metric in METRICS for name, value in metric.values.items()}
KERNEL_DISTANCE = next(metric for metric in METRICS if "kd" in metric.values)
"""The metric of single classes: unbiased, so that it holds for few images."""


def metrics_of(extractor: FeatureExtractor, distances_only: bool = False) -> list[Metric]:
    """The metrics that take an extractor's features."""
    return [m for m in METRICS if m.kind == extractor.kind and (m.is_distance or not distances_only)]


def measure(
    metrics: list[Metric], extractor: FeatureExtractor, generated: np.ndarray, real: np.ndarray, seed: int | None = None
) -> dict[str, Measured]:
    """Metrics of equally many generated and real images.

    Args:
        metrics: rows of `METRICS`.
        extractor: whose features these are.
        generated: (N, D) features.
        real: (N, D) features.
        seed: of the halves that deviations are computed from; None for no deviations.

    Returns:
        Every value of the metrics, by name.
    """
    out: dict[str, Measured] = {}
    n, width = min(len(generated), len(real)), generated.shape[1]
    for metric in metrics:
        if reason := metric.reason(n, width):
            out |= dict.fromkeys(metric.values, Measured(reason=reason))
            continue
        own_seed = seed if metric.interval_reason(n, width) is None else None
        statistic = metric.prepare(generated, real, extractor.width)
        values, deviations = value_and_deviation(statistic, len(generated), len(real), own_seed, metric.halves)
        for place, name in enumerate(metric.values):
            deviation = None if deviations is None else float(np.atleast_1d(deviations)[place])
            out[name] = Measured(float(np.atleast_1d(values)[place]), deviation)
    return out
