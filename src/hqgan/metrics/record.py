"""One measured value with its references: the row that evaluations, logs, comparisons, model cards and reports exchange."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, get_type_hints

from hqgan.metrics.table import VALUES

LABELS = {name: value.label for name, value in VALUES.items()} | {
    "ndb": "Differing clusters",
    "near_duplicates": "Near-duplicate rate",
    "ssim": "SSIM",
    "ssim_nearest": "SSIM to the nearest real image",
    "ssim_within": "SSIM within a class",
    "lpips_within": "LPIPS within a class",
    "mifid": "MiFID",
}
"""Distances as people read them."""

_INCEPTION = {"fd": "fid", "kd": "kid"}
"""The Fréchet and kernel distance have the names FID and KID only in Inception-v3's features."""

_OLD_DISTANCES = {"frechet": "fd", "kernel": "kd", "sliced": "swd", "twins": "near_duplicates"}
_OLD_DISTANCES |= {name: distance for distance, name in _INCEPTION.items()}
_OLD_FIELDS = {"view": "extractor", "floor": "real_reference", "bar": "baseline", "hash": "extractor_hash"}
Number = float | int | None


@dataclass(frozen=True)
class MetricRow:
    """One metric of generated images, over all classes or of one.

    Values are comparable only under one key, n, seed and extractor.

    Attributes:
        distance: what was computed: ``fd`` (Fréchet distance), ``kd`` (kernel distance), ``precision``, ``ssim_nearest``...
        extractor: whose features it was computed in; None where it needs none, or its network is missing.
        class_name: of the class; None over all classes.
        value: the metric; None where it could not be computed, see `reason`.
        low: lower end of the 95 % interval; None where there is none.
        high: upper end.
        real_reference: the same metric of real images against the same held-out images, at the same N: the best case.
        baseline: the same metric of the class-conditional PCA-Gaussian, at the same N: a simple baseline.
        normalised: ``(value - real_reference) / (baseline - real_reference)``: 0 is as good as real images, 1 as bad as the
            PCA-Gaussian.
        n: images on each side.
        reason: why there is no value, or no normalised value; None where nothing is missing.
        seed: of all random draws.
        extractor_hash: hex SHA-256 of the extractor's weights and constants; empty where unknown or where there is none.
        config_hash: of the run's config; empty where unknown.
    """

    distance: str
    extractor: str | None = None
    class_name: str | None = None
    value: Number = None
    low: Number = None
    high: Number = None
    real_reference: Number = None
    baseline: Number = None
    normalised: Number = None
    n: int = 0
    reason: str | None = None
    seed: int = 0
    extractor_hash: str = ""
    config_hash: str = ""

    @property
    def key(self) -> str:
        """Distance and extractor in one name: ``fd_derm``, ``kid_inception``, ``ssim_nearest``."""
        if self.extractor is None or self.distance == "inception_score":
            return self.distance
        distance = _INCEPTION.get(self.distance, self.distance) if self.extractor == "inception" else self.distance
        return f"{distance}_{self.extractor}"

    @property
    def label(self) -> str:
        """The metric as people read it: ``FD (derm)``, ``KID``, ``SSIM to the nearest real image``."""
        if self.extractor == "inception" and self.distance in _INCEPTION:
            return _INCEPTION[self.distance].upper()
        if scales := re.fullmatch(r"ms_ssim(\d)(\w*)", self.distance):
            return f"MS-{LABELS.get('ssim' + scales[2], 'SSIM')} ({scales[1]} scales)"
        label = LABELS.get(self.distance, self.distance.replace("_", " ").capitalize())
        return label if self.key == self.distance else f"{label} ({self.extractor})"

    def with_interval(self, deviation: float | None, lowest: float = -inf, highest: float = inf) -> MetricRow:
        """The row with the 95 % interval of its value by a standard deviation, cut to a range; without one if there is none."""
        if self.value is None or deviation is None:
            return self
        low, high = self.value - 1.96 * deviation, self.value + 1.96 * deviation
        return replace(self, low=max(low, lowest), high=min(high, highest))

    def as_json(self) -> dict[str, Any]:
        """The row as JSON values; ``key`` comes first, `class_name` as ``class``."""
        return {"key": self.key, **{"class" if name == "class_name" else name: v for name, v in vars(self).items()}}


_KINDS = get_type_hints(MetricRow)


def from_json(row: Any) -> MetricRow:
    """A row from what `MetricRow.as_json` wrote, or from one of the first format.

    Rows of the first format (until commit 7cff2e3) carry N in their name (``frechet_derm_1k2``) and the fields ``view``,
    ``floor``, ``bar`` and ``hash``.

    Raises:
        ValueError: what is given is no row.
    """
    if not isinstance(row, Mapping):
        raise ValueError("it is no row of a metric")
    values = {_OLD_FIELDS.get(name, name): value for name, value in row.items()}
    if "distance" not in values and isinstance(values.get("name"), str):
        values["distance"], values["extractor"] = _old_name(values["name"], values.get("extractor"))
    if values.get("extractor") == "pixels":  # the first format's word for none
        values["extractor"] = None
    values["class_name"] = values.get("class")
    for name in ("extractor_hash", "config_hash"):
        values[name] = values.get(name) or ""
    known = {name: values[name] for name in _KINDS if name in values}
    if "distance" not in known:
        raise ValueError("a metric's row names no distance")
    for name, value in known.items():
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise ValueError(f"{name} of a metric's row is {value!r}")
    return MetricRow(**known)


def rows_from_json(rows: Iterable[Any]) -> list[MetricRow]:
    """Rows by `from_json`."""
    return [from_json(row) for row in rows]


def _old_name(name: str, extractor: Any) -> tuple[str, Any]:
    """Distance and extractor of a name of the first format, where a missing network's row has its extractor in the name alone."""
    stem = re.sub(r"_\d+(k\d?)?$", "", name)
    if extractor is None and (missing := re.fullmatch(r"(\w+)_(inception|dinov2|neutral)", stem)):
        extractor = missing[2]
    elif stem == "inception_score":
        extractor = "inception"
    stem = stem.removesuffix(f"_{extractor}")
    return _OLD_DISTANCES.get(stem, stem), extractor
