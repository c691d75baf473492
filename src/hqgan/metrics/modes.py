"""Mode collapse: kinds of training images that are generated too rarely or too often, and near-duplicates."""

from __future__ import annotations

import numpy as np

from hqgan.metrics.prdc import pairwise
from hqgan.metrics.record import MetricRow

BINS = 50
"""Clusters of training images; 100 in the paper, for tens of thousands of images."""

LEVEL = 1.96
"""Standard errors beyond which a cluster counts as different; by chance, one in twenty does."""


def mode_rows(
    extractor: str,
    generated: np.ndarray,
    generated_labels: np.ndarray,
    real: np.ndarray,
    real_labels: np.ndarray,
    train: np.ndarray,
    digest: str,
    seed: int,
) -> list[MetricRow]:
    """Two metrics of variety, each with held-out real images in place of generated ones as its real reference.

    ``ndb`` (number of statistically different bins): the share of `BINS` clusters of training images in which generated images
    are significantly more or less frequent than training images. ``near_duplicates``: the share of generated images that
    are nearer to another one of their class than 99 % of held-out images are to theirs.

    Args:
        extractor: name of the feature extractor.
        generated: (N, D) features, in the class mix of the held-out ones.
        generated_labels: (N,).
        real: (M, D) held-out features.
        real_labels: (M,).
        train: (T, D) training features.
        digest: hash of the extractor.
        seed: of the clusters.

    References:
        Richardson & Weiss, "On GANs and GMMs", 2018 (arXiv 1805.12462), for NDB; Arora & Zhang, 2017 (arXiv
        1706.08224), for near as
        a sign of small support.
    """
    from sklearn.cluster import KMeans

    bins = KMeans(min(BINS, len(train) // 5), n_init=3, random_state=seed).fit(train.astype(np.float64))
    base = np.bincount(bins.labels_, minlength=bins.n_clusters)

    def different(features: np.ndarray) -> tuple[float, float]:
        counts = np.bincount(bins.predict(features.astype(np.float64)), minlength=bins.n_clusters)
        p, q = counts / counts.sum(), base / base.sum()
        pooled = (counts + base) / (counts.sum() + base.sum())
        error = np.sqrt(pooled * (1 - pooled) * (1 / counts.sum() + 1 / base.sum()))
        share = float((np.abs(p - q) > LEVEL * np.maximum(error, 1e-12)).mean())
        return share, float(np.sqrt(max(share * (1 - share), 1e-12) / bins.n_clusters))

    value, spread = different(generated)
    rows = [_row("ndb", extractor, value, spread, different(real)[0], len(generated), digest, seed)]
    near, known = _nearest(generated, generated_labels), _nearest(real, real_labels)
    shares = []
    for c in np.unique(real_labels):
        own, others = near[generated_labels == c], known[real_labels == c]
        if len(own) > 1 and len(others) > 1:
            shares.append(own < np.quantile(others, 0.01))
    duplicates = np.concatenate(shares) if shares else np.zeros(1)
    share = float(duplicates.mean())
    spread = float(np.sqrt(share * (1 - share) / len(duplicates)))
    return [
        *rows,
        _row(
            "near_duplicates",
            extractor,
            share,
            spread,
            0.01,
            len(duplicates),
            digest,
            seed,
        ),
    ]


def _nearest(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Distance (N,) of each image to its nearest other of the class; infinite for a class of one."""
    out = np.full(len(labels), np.inf)
    for c in np.unique(labels):
        mine = labels == c
        distances = pairwise(features[mine], features[mine])
        np.fill_diagonal(distances, np.inf)
        out[mine] = np.sqrt(distances.min(1))
    return out


def _row(
    kind: str, extractor: str, value: float, spread: float, reference: float, n: int, digest: str, seed: int
) -> MetricRow:
    low, high = max(value - 1.96 * spread, 0.0), min(value + 1.96 * spread, 1.0)
    return MetricRow(kind, extractor, value=value, low=low, high=high, real_reference=reference, n=n, seed=seed,
                     extractor_hash=digest)  # fmt: skip
