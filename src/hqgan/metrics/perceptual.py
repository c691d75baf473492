"""Similarity of single images: SSIM and MS-SSIM to the nearest real image and within a class, LPIPS within a class; and the
Inception score.

Within a class, similarity is the opposite of variety: beside each value stands the same of held-out real images, and a
generator whose images are more alike than those has lost modes. To the nearest real image, the real reference is that of
training images.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

from hqgan.io.images import to_float
from hqgan.metrics.distances import pairwise
from hqgan.metrics.evaluator import Comparison
from hqgan.metrics.extractors.networks import in_batches
from hqgan.metrics.extractors.pretrained import PretrainedNetworks
from hqgan.metrics.record import MetricRow
from hqgan.metrics.subsampling import SMALLEST_CLASS, of_one_set
from hqgan.types import LabelledImages

PAIRS = 500
"""Pairs of images of a class, at most."""

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of MS-SSIM's scales (Wang et al., 2003); small images take as many of the first as fit, scaled to a sum of 1."""

Pairwise = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two uint8 batches (N, S, S, 3) to similarities or distances (N,)."""


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity (N,) of image pairs, Gaussian window of 11 pixels, sigma 1.5, range 1.

    References:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004.
    """
    measure = import_module("torchmetrics.functional.image").structural_similarity_index_measure
    return _each(lambda x, y: measure(x, y, data_range=1.0, reduction="none"), a, b)


def ms_ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multi-scale structural similarity (N,) over `scales_of` scales.

    References:
        Wang et al., "Multi-scale Structural Similarity for Image Quality Assessment", 2003.
    """
    betas = np.array(BETAS[: scales_of(a.shape[1])])
    weights = tuple(float(x) for x in betas / betas.sum())
    measure = import_module("torchmetrics.functional.image").multiscale_structural_similarity_index_measure
    return _each(lambda x, y: measure(x, y, data_range=1.0, reduction="none", betas=weights, normalize="relu"), a, b)


def scales_of(size: int) -> int:
    """Scales of MS-SSIM whose window of 11 pixels fits an image of this side: 3 at 64 pixels, 5 from 176 on."""
    return max(1, min(5, sum(size // 2**k >= 11 for k in range(5))))


def inception_score(probabilities: np.ndarray) -> float:
    """Exp of the mean Kullback-Leibler divergence of class probabilities (N, C) from their mean.

    References:
        Salimans et al., "Improved Techniques for Training GANs", 2016 (arXiv 1606.03498).
    """
    p = np.asarray(probabilities, np.float64)
    logs = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(p.mean(0), 1e-300))
    return float(np.exp((p * logs).sum(1).mean()))


def rows(pretrained: PretrainedNetworks, compared: Comparison) -> list[MetricRow]:
    """Every metric of this file, and a row with its reason for each metric that lacks its network."""
    generated, real, seed = compared.generated, compared.real, compared.seed
    out = [
        MetricRow(distance, extractor, n=len(generated), reason=reason, seed=seed)
        for distance, extractor, reason in pretrained.missing
    ]
    if pretrained.class_probabilities is not None:
        made, held_out = (pretrained.class_probabilities(x.images) for x in (generated, real))
        value, deviation = of_one_set(inception_score, made, seed)
        digest = next(e.hash for e in pretrained.extractors if e.name == "inception")
        score = MetricRow("inception_score", "inception", value=value, real_reference=inception_score(held_out), n=len(made),
                          seed=seed, extractor_hash=digest)  # fmt: skip
        out.append(score.with_interval(deviation))
    for name, like in (("ssim", ssim), (f"ms_ssim{scales_of(real.images.shape[1])}", ms_ssim)):
        out += nearest_rows(name, like, compared) + within_rows(name, like, compared)
    if pretrained.lpips is not None:
        out += within_rows("lpips", pretrained.lpips, compared)
    return out


def nearest_rows(name: str, like: Pairwise, compared: Comparison) -> list[MetricRow]:
    """Mean similarity of generated images to their nearest held-out image of the class, by class and over all classes.

    Args:
        name: of the metric.
        like: of pairs.
        compared: the images; the real reference is of as many training images as there are generated ones.
    """
    rng = np.random.default_rng(compared.seed)

    def values(given: LabelledImages, c: int) -> np.ndarray:
        mine, others = np.flatnonzero(given.labels == c), compared.real.images[compared.real.labels == c]
        mine = rng.permutation(mine)[:PAIRS]
        if min(len(mine), len(others)) < SMALLEST_CLASS:
            return np.empty(0)
        own = np.asarray(given.images[mine])
        flat = [x.reshape(len(x), -1).astype(np.float32) for x in (own, others)]
        return like(own, np.asarray(others[pairwise(*flat).argmin(1)]))

    return _rows(f"{name}_nearest", values, compared, compared.train)


def within_rows(name: str, like: Pairwise, compared: Comparison) -> list[MetricRow]:
    """Mean similarity, or distance, of pairs of images of one class; the real reference is that of held-out pairs.

    Arguments as above.
    """
    rng = np.random.default_rng(compared.seed)

    def values(given: LabelledImages, c: int) -> np.ndarray:
        mine = rng.permutation(np.flatnonzero(given.labels == c))
        if len(mine) < SMALLEST_CLASS:
            return np.empty(0)
        # Every image twice, each time beside another: a ring.
        left, right = mine[:PAIRS], np.roll(mine, 1)[:PAIRS]
        return like(np.asarray(given.images[left]), np.asarray(given.images[right]))

    return _rows(f"{name}_within", values, compared, compared.real)


def _rows(
    name: str, values: Callable[[LabelledImages, int], np.ndarray], compared: Comparison, beside: LabelledImages
) -> list[MetricRow]:
    """Rows by class, and over all classes the mean of those that have a value; the real reference is that of `beside`."""
    seed = compared.seed
    out, spreads = [], []
    for c, title in enumerate(compared.classes):
        own, reference = values(compared.generated, c), values(beside, c)
        if not len(own):
            reason = f"fewer than {SMALLEST_CLASS} images of {title} on a side"
            out.append(MetricRow(name, class_name=title, reason=reason, seed=seed))
            continue
        value, spread = of_one_set(np.mean, own, seed)
        mean = float(reference.mean()) if len(reference) else None
        row = MetricRow(name, class_name=title, value=value, real_reference=mean, n=len(own), seed=seed)
        out.append(row.with_interval(spread))
        spreads.append(spread)
    if not spreads:
        return [MetricRow(name, reason="no class is large enough", seed=seed), *out]
    means = [row.value for row in out if row.value is not None]
    known = [row.real_reference for row in out if row.real_reference is not None]
    mean = float(np.mean(known)) if len(known) == len(means) else None
    over_all = MetricRow(name, value=float(np.mean(means)), real_reference=mean, n=sum(row.n for row in out), seed=seed)
    return [over_all.with_interval(float(np.sqrt(np.square(spreads).sum()) / len(spreads))), *out]


def _each(measure: Callable[[torch.Tensor, torch.Tensor], Any], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A torchmetrics function of pairs of images, in [0, 1] as it takes them."""

    def values(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        found = measure(to_float(x) / 2 + 0.5, to_float(y) / 2 + 0.5)
        return np.atleast_1d(found.numpy().astype(np.float64))

    return in_batches(values, 100, a, b)
