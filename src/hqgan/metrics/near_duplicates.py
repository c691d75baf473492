"""Near-duplicates: images that show the same picture, rotated or mirrored, compressed by JPEG or a little lighter."""

from __future__ import annotations

import numpy as np

NEAR = 4.0
"""Grey levels (root mean square over pixels and colours) below which two images count as one: JPEG and resizing change an
image by less, two lesions of one class differ by more."""

_BATCH = 512


def nearest_copies(images: np.ndarray, others: np.ndarray, near: float = NEAR) -> np.ndarray:
    """(K, 2) pairs of rows, an image's and another's, that show the same picture, rotated or mirrored or not.

    Args:
        images: (N, S, S, 3) uint8, S a multiple of 4.
        others: (M, S, S, 3) uint8.
        near: root mean square distance in grey levels.
    """
    side = images.shape[1] // 4
    # Means over cells lie no farther apart than the images, so images that are near are near in small, too.
    small = _shrink(others, side).reshape(len(others), -1)
    norms = (small**2).sum(1)
    found = []
    for start in range(0, len(images), _BATCH):
        part = np.asarray(images[start : start + _BATCH])
        little = _shrink(part, side)
        for turn in range(8):
            turned = _turn(little, turn).reshape(len(part), -1)
            squares = (turned**2).sum(1)[:, None] + norms[None] - 2 * turned @ small.T
            # Single precision: the squares are differences of numbers a thousand times larger.
            for i, j in np.argwhere(squares < near**2 * turned.shape[1] + 1e-3 * norms.mean()):
                apart = _turn(part[i : i + 1], turn)[0].astype(np.float32) - others[j].astype(np.float32)
                if float(np.square(apart).mean()) < near**2:
                    found.append((start + int(i), int(j)))
    return np.unique(np.array(found, np.int64).reshape(-1, 2), axis=0)


def _shrink(images: np.ndarray, side: int) -> np.ndarray:
    """(N, side, side, 3) float32 means over square cells."""
    cell = images.shape[1] // side
    small = np.empty((len(images), side, side, 3), np.float32)
    for start in range(0, len(images), _BATCH):  # a whole data set in floats would take four times its memory
        part = np.asarray(images[start : start + _BATCH], np.float32)
        small[start : start + _BATCH] = part.reshape(-1, side, cell, side, cell, 3).mean((2, 4))
    return small


def _turn(images: np.ndarray, turn: int) -> np.ndarray:
    """One of the eight rotations and reflections of a square."""
    turned = np.rot90(images, turn % 4, (1, 2))
    return turned[:, :, ::-1] if turn >= 4 else turned
