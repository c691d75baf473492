"""Near-duplicates by perceptual hash: one picture saved twice, at another size, through JPEG again, or a little lighter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

BITS = 10
"""Of 63, in which the hashes of one picture may differ."""
LEVELS = 5.0
"""Grey levels, root mean square over `SIDE` x `SIDE` cells and colours, within which two pictures of near hashes are one; the
mean difference is taken off before, so that light may differ."""
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
    """For each picture the first one that it is a near-duplicate of, at once or through others; itself where there is none.

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
    cells = [pictures[i][1] for i in different]
    root = np.arange(len(hashes))

    def top(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = int(root[i])
        return i

    for start in range(0, len(hashes), _ROWS):
        rows = hashes[start : start + _ROWS]
        near = np.bitwise_count(rows[:, None] ^ hashes[None, start:]) <= BITS
        for i, j in np.argwhere(np.triu(near, 1)) + start:
            a, b = sorted((top(int(i)), top(int(j))))
            if a != b and _apart(cells[i], cells[j]) < LEVELS:
                root[b] = a
    first = {i: different[top(place)] for place, i in enumerate(different)}
    return np.array([first[i] for i in same], np.int64)


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
        found += any(_apart(known[i][1], cells) < LEVELS for i in near)
    return found


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    difference = a.astype(np.float32) - b.astype(np.float32)
    return float(np.sqrt(np.square(difference - difference.mean()).mean()))


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
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = covered.clip(0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
