"""Mode collapse: kinds of training images that are generated too rarely or too often, and near-duplicates."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.distances import pairwise
from hqgan.metrics.evaluator import Comparison
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.record import MetricRow

BINS = 50
"""Clusters of training images; 100 in the paper, for tens of thousands of images."""

LEVEL = 1.96
"""Standard errors beyond which a cluster counts as different; by chance, one in twenty does."""


def mode_rows(extractor: FeatureExtractor, compared: Comparison) -> list[MetricRow]:
    """Two metrics of variety, each with held-out real images in place of generated ones as its real reference.

    ``ndb`` (number of statistically different bins): the share of `BINS` clusters of training images in which generated images
    are significantly more or less frequent than training images. ``near_duplicates``: the share of generated images that
    are nearer to another one of their class than 99 % of held-out images are to theirs.

    Args:
        extractor: in whose features.
        compared: the images, the generated ones in the class mix of the held-out ones.

    References:
        Richardson & Weiss, "On GANs and GMMs", 2018 (arXiv 1805.12462), for NDB; Arora & Zhang, 2017 (arXiv 1706.08224), for
        near as a sign of small support.
    """
    from sklearn.cluster import KMeans

    generated, real, seed = compared.generated, compared.real, compared.seed
    made, held_out, known = (extractor(x.images) for x in (generated, real, compared.train))
    bins = KMeans(min(BINS, len(known) // 5), n_init=3, random_state=seed).fit(known.astype(np.float64))
    base = np.bincount(bins.labels_, minlength=bins.n_clusters)

    def different(features: np.ndarray) -> float:
        counts = np.bincount(bins.predict(features.astype(np.float64)), minlength=bins.n_clusters)
        p, q = counts / counts.sum(), base / base.sum()
        pooled = (counts + base) / (counts.sum() + base.sum())
        error = np.sqrt(pooled * (1 - pooled) * (1 / counts.sum() + 1 / base.sum()))
        return float((np.abs(p - q) > LEVEL * np.maximum(error, 1e-12)).mean())

    def row(kind: str, value: float, spread: float, reference: float, n: int) -> MetricRow:
        out = MetricRow(kind, extractor.name, value=value, real_reference=reference, n=n, seed=seed,
                        extractor_hash=extractor.hash)  # fmt: skip
        return out.with_interval(spread, 0.0, 1.0)

    bad = different(made)
    spread = float(np.sqrt(max(bad * (1 - bad), 1e-12) / bins.n_clusters))
    ndb = row("ndb", bad, spread, different(held_out), len(generated))
    shares = []
    for c in np.unique(real.labels):
        near, usual = (_nearest(x[labels == c]) for x, (_, labels) in ((made, generated), (held_out, real)))
        if len(near) > 1 and len(usual) > 1:
            shares.append(near < np.quantile(usual, 0.01))
    duplicates = np.concatenate(shares) if shares else np.zeros(1)
    share = float(duplicates.mean())
    spread = float(np.sqrt(share * (1 - share) / len(duplicates)))
    return [ndb, row("near_duplicates", share, spread, 0.01, len(duplicates))]


def _nearest(features: np.ndarray) -> np.ndarray:
    """Distance (N,) of each image to its nearest other; infinite for a single one."""
    distances = pairwise(features, features)
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(distances.min(1, initial=np.inf))
