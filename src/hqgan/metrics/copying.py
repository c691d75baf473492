"""Do generated images copy training images? Tests whose unit is the lesion, and metrics of memorisation.

A test asks whether generated images lie nearer to training lesions than to held-out lesions that could as well have been
training ones; its p-value comes from permuting lesions between the two sets, class by class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hqgan.metrics.distances import Labelled, frechet, pairwise
from hqgan.metrics.subsampling import equal_numbers

PERMUTATIONS = 9999

COPIED = 1 / 3
"""Distance to the nearest training lesion over that to the second nearest, below which an image counts as copied."""

_BLOCK = 1024


@dataclass(frozen=True)
class Test:
    """A permutation test's result.

    Attributes:
        value: the statistic; a half where nothing is copied or known.
        p_value: one-sided, the share of permutations of lesions that give as much or more; never below 1 / (permutations + 1).
        n: images whose statistic it is.
    """

    value: float
    p_value: float
    n: int


def equal_lesions(
    labels: np.ndarray, groups: np.ndarray, train: np.ndarray, held_out: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of equally many training and held-out images of each class, one image per lesion.

    Args:
        labels: (N,) class indices of all images.
        groups: (N,) the lesion of each.
        train: rows of the training part.
        held_out: rows that the generator was not trained on.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    ours, theirs = _one_each(groups, train, rng), _one_each(groups, held_out, rng)
    a, b = equal_numbers(labels[ours], labels[theirs], rng)
    return np.sort(ours[a]), np.sort(theirs[b])


def nearest_share(
    generated: Labelled, train: Labelled, held_out: Labelled, seed: int = 0, permutations: int = PERMUTATIONS
) -> Test:
    """The share of generated images whose nearest real image of their class is a training one.

    Args:
        generated: generated images.
        train: training lesions, one image each.
        held_out: held-out lesions, as many of each class.
        seed: of the permutations.
        permutations: of lesions between the two sets.

    Returns:
        The share; the null is a half. An image that lies equally near to several lesions counts for each in part.

    References:
        Meehan et al., "A Non-Parametric Test to Detect Data-Copying in Generative Models", 2020 (arXiv 2004.05675), for the
        idea of a held-out set; the test of the share is a permutation test over lesions.
    """
    rng = np.random.default_rng(seed)
    total, count = np.zeros(permutations + 1), 0
    for c in np.unique(generated[1]):
        mine, a, b = (features[labels == c] for features, labels in (generated, train, held_out))
        if not len(a) or len(a) != len(b):
            continue
        cross = pairwise(mine, np.concatenate([a, b]))
        least = cross.min(1, keepdims=True)
        nearest = cross <= least * (1 + 1e-9) + 1e-12
        weight = (nearest / nearest.sum(1, keepdims=True)).sum(0)
        total[0] += weight[: len(a)].sum()
        for p in range(permutations):
            total[p + 1] += weight[rng.permutation(len(weight))[: len(a)]].sum()
        count += len(mine)
    if not count:
        return Test(0.5, 1.0, 0)
    return Test(float(total[0] / count), _p(total), count)


def membership(
    scores: np.ndarray,
    members: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> Test:
    """How well a score distinguishes members from others of their class: AUROC over pairs within classes.

    Args:
        scores: (N,) higher for images that are more likely members.
        members: (N,) bool, whether in the training part; equal within a lesion.
        labels: (N,) class indices.
        groups: (N,) the lesion of each.
        seed: of the permutations.
        permutations: of lesions between members and others, within classes.

    Returns:
        The area, a half for guessing.
    """
    from scipy.stats import rankdata

    rng = np.random.default_rng(seed)
    wins, pairs = np.zeros(permutations + 1), np.zeros(permutations + 1)
    for c in np.unique(labels):
        mine = np.flatnonzero(labels == c)
        _, first, lesion = np.unique(groups[mine], return_index=True, return_inverse=True)
        inside = members[mine][first]
        if inside.all() or not inside.any():
            continue
        summed, sizes = np.bincount(lesion, rankdata(scores[mine])), np.bincount(lesion).astype(np.float64)
        for p in range(permutations + 1):
            chosen = inside if p == 0 else rng.permutation(inside)
            n = sizes[chosen].sum()
            wins[p] += summed[chosen].sum() - n * (n + 1) / 2
            pairs[p] += n * (len(mine) - n)
    if not pairs[0]:
        return Test(0.5, 1.0, 0)
    return Test(float(wins[0] / pairs[0]), _p(wins / pairs), len(scores))


def halves(members: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """(N,) bool: images of a random half of the members' lesions of each class, which stand for the members in a control."""
    rng = np.random.default_rng(seed)
    out = np.zeros(len(members), bool)
    for c in np.unique(labels[members]):
        lesions = np.unique(groups[members & (labels == c)])
        out |= np.isin(groups, rng.permutation(lesions)[: len(lesions) // 2]) & members & (labels == c)
    return out


def authenticity(generated: np.ndarray, train: np.ndarray) -> float:
    """Share of generated images that are farther from their nearest training image than it is from its nearest neighbour.

    About a half for new images of the same distribution, 0 for copies.

    Args:
        generated: (G, D) features.
        train: (N, D) features, two or more.

    References:
        Alaa et al., "How Faithful is your Synthetic Data?", 2022, section 3.3 (arXiv 2102.08921).
    """
    cross, own = pairwise(generated, train), pairwise(train, train)
    np.fill_diagonal(own, np.inf)
    nearest = cross.argmin(1)
    return float((cross[np.arange(len(generated)), nearest] > own.min(1)[nearest]).mean())


def mifid(generated: np.ndarray, real: np.ndarray, train: np.ndarray, eps: float = 0.1) -> tuple[float, float]:
    """Memorisation-informed Fréchet distance (MiFID), and the cosine distance that it is informed by.

    The Fréchet distance to real images, divided by the mean cosine distance of generated images to their nearest training image
    where that is below `eps`: copying makes it worse.

    Args:
        generated: (G, D) features, G more than 2 D.
        real: (M, D) held-out features, M more than 2 D.
        train: (N, D) training features.
        eps: cosine distance from which on nothing counts as memorised.

    References:
        Bai et al., "On Training Sample Memorization: Lessons from Benchmarking Generative Modeling with a Large-scale
        Competition", 2021 (arXiv 2106.03062).
    """
    a = generated / np.linalg.norm(generated, axis=1, keepdims=True)
    b = train / np.linalg.norm(train, axis=1, keepdims=True)
    distance = float((1 - np.abs(a @ b.T)).min(1).mean())
    return frechet(generated, real) / (max(distance, 1e-15) if distance < eps else 1.0), distance


def closeness(generated: np.ndarray, train: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each generated image's nearest training row (G,), and its distance over that to the nearest of another lesion (G,).

    References:
        Yoon et al., "Diffusion Probabilistic Models Generalize when They Fail to Memorize", 2023, who call an image copied
        where the ratio is below a third.
    """
    blocks = range(0, len(train), _BLOCK)  # pixels of a data set in doubles would not fit into memory
    cross = np.sqrt(np.concatenate([pairwise(generated, train[i : i + _BLOCK]) for i in blocks], 1))
    nearest = cross.argmin(1)
    rows = np.arange(len(generated))
    least = cross[rows, nearest].copy()
    cross[groups[None] == groups[nearest][:, None]] = np.inf
    return nearest, least / np.maximum(cross.min(1), 1e-12)


def _one_each(groups: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One row of each lesion among `rows`."""
    mixed = rng.permutation(rows)
    _, first = np.unique(groups[mixed], return_index=True)
    return mixed[first]


def _p(values: np.ndarray) -> float:
    """One-sided p-value of the first value among permuted ones."""
    return float((values[1:] >= values[0] - 1e-12).sum() + 1) / len(values)
