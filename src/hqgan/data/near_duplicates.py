"""Near-duplicates by perceptual hash: a picture saved twice, at another size, compressed by JPEG again, or a little lighter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BITS = 10
"""Near-duplicates differ in at most so many of the hash's 63 bits."""
LEVELS = 5.0
"""Near-duplicates differ by less than this, in grey levels: the root mean square over `SIDE` x `SIDE` cells and colours, after
the mean difference is taken off, so that brightness may differ."""
SIDE = 16
_ROWS = 1024


def perceptual_hash(image: np.ndarray) -> tuple[int, np.ndarray]:
    """A hash of 63 bits, and the small picture that confirms it.

    The signs of the lowest 8x8 frequencies about their median, without the mean (Zauner, "Implementation and Benchmarking of
    Perceptual Image Hash Functions", 2010).

    Args:
        image: (S, S, 3) uint8.

    Returns:
        The hash, and (SIDE, SIDE, 3) uint8.
    """
    whole = image.astype(np.float32)
    weights = _cells(image.shape[0], 32)
    grey = weights @ whole.mean(2) @ weights.T
    low = (_cosines() @ grey @ _cosines().T).ravel()[1:]
    bits = (low > np.median(low)).astype(np.uint64)
    small = _cells(image.shape[0], SIDE)
    # (S, S, 3) to cells: rows, then columns.
    cells = (small @ (small @ whole.reshape(len(whole), -1)).reshape(SIDE, len(whole), 3)).astype(np.float32)
    return int((bits << np.arange(63, dtype=np.uint64)).sum()), cells.round().astype(np.uint8)


def first_alike(pictures: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """The first near-duplicate of each picture, directly or through other pictures; itself where there is none.

    Args:
        pictures: N of what `perceptual_hash` gives.

    Returns:
        (N,) int64.
    """
    # Equal ones first: a thousand copies of one picture would else be half a million pairs.
    equal: dict[tuple[int, bytes], int] = {}
    same = [equal.setdefault((number, small.tobytes()), i) for i, (number, small) in enumerate(pictures)]
    different = list(equal.values())
    hashes = np.array([pictures[i][0] for i in different], np.uint64)
    cells = np.array([pictures[i][1] for i in different])
    pairs = [np.empty((2, 0), np.int64)]
    for start in range(0, len(hashes), _ROWS):
        rows = hashes[start : start + _ROWS]
        near = np.triu(np.bitwise_count(rows[:, None] ^ hashes[None, start:]) <= BITS, 1)
        for i in np.flatnonzero(near.any(1)):
            others = start + np.flatnonzero(near[i])
            others = others[_distances(cells[start + i], cells[others]) < LEVELS]
            pairs.append(np.stack([np.full(len(others), start + i), others]))
    linked = np.concatenate(pairs, 1)
    graph = coo_array((np.ones(linked.shape[1], bool), tuple(linked)), shape=(len(hashes), len(hashes)))
    _, component = connected_components(graph, directed=False)
    _, first_of_component = np.unique(component, return_index=True)
    first = np.array(different, np.int64)[first_of_component[component]]
    place = {i: k for k, i in enumerate(different)}
    return first[[place[i] for i in same]]


def shared_images(images: np.ndarray, others: np.ndarray) -> int:
    """How many of `others` are near-duplicates of one of `images`.

    Args:
        images: (N, S, S, 3) uint8.
        others: (M, T, T, 3) uint8; T need not be S.
    """
    known, asked = ([perceptual_hash(image) for image in stack] for stack in (images, others))
    hashes = np.array([number for number, _ in known], np.uint64)
    found = 0
    for number, cells in asked:
        near = np.flatnonzero(np.bitwise_count(hashes ^ np.uint64(number)) <= BITS)
        found += bool(len(near)) and bool((_distances(cells, np.array([known[i][1] for i in near])) < LEVELS).any())
    return found


def _distances(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) root mean square differences in grey levels of one small picture to N others, the mean difference taken off."""
    difference = (one.astype(np.float32) - others.astype(np.float32)).reshape(len(others), -1)
    return np.sqrt(np.square(difference - difference.mean(1, keepdims=True)).mean(1))


@cache
def _cosines() -> np.ndarray:
    """(8, 32) the lowest rows of a cosine transform."""
    k, x = np.arange(8)[:, None], np.arange(32)[None]
    return np.cos(np.pi * k * (2 * x + 1) / 64).astype(np.float32)


@cache
def _cells(size: int, side: int) -> np.ndarray:
    """(side, size) weights of the means over cells, also where the size is no multiple of the side."""
    edges = np.linspace(0, size, side + 1)
    pixels = np.arange(size)
    weights = (np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)).clip(0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
