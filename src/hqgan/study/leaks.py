"""Images on the training side that are copies of test images: what would make a study worthless."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hqgan.types import UserError

NEAR = 4.0
"""Grey levels (root mean square over pixels and colours) below which two images are one: JPEG and resizing move an image by
less, two lesions of one class by more."""

_BATCH = 512


def nearest_copies(images: np.ndarray, test: np.ndarray, near: float = NEAR) -> np.ndarray:
    """(K, 2) pairs of rows, an image's and a test image's, that are the same picture, turned or mirrored or not.

    Args:
        images: (N, S, S, 3) uint8.
        test: (M, S, S, 3) uint8.
        near: root mean square distance in grey levels.
    """
    side = images.shape[1] // 4
    # Averaging over cells brings images no farther apart, so whatever is near is near in small.
    small = _shrink(test, side).reshape(len(test), -1)
    norms = (small**2).sum(1)
    found = []
    for start in range(0, len(images), _BATCH):
        part = np.asarray(images[start : start + _BATCH])
        little = _shrink(part, side)
        for turn in range(8):
            turned = _turn(little, turn).reshape(len(part), -1)
            squares = (turned**2).sum(1)[:, None] + norms[None] - 2 * turned @ small.T
            for i, j in np.argwhere(squares < near**2 * turned.shape[1] + 1e-3 * norms.mean()):
                whole = _turn(part[i : i + 1], turn)[0].astype(np.float32) - test[j].astype(np.float32)
                if float(np.square(whole).mean()) < near**2:
                    found.append((start + int(i), int(j)))
    return np.unique(np.array(found, np.int64).reshape(-1, 2), axis=0)


def refuse_copies(
    images: np.ndarray, names: Sequence[str], test: np.ndarray, test_names: Sequence[str], what: str
) -> None:
    """Stop where an image is a copy of a test image.

    Args:
        images: (N, S, S, 3) uint8 on the training side.
        names: of them.
        test: (M, S, S, 3) uint8.
        test_names: of them.
        what: whose images they are, for the sentence.

    Raises:
        UserError: naming the first pair and how many there are.
    """
    pairs = nearest_copies(images, test)
    if len(pairs):
        i, j = pairs[0]
        more = f" (and {len(pairs) - 1:,} more)" if len(pairs) > 1 else ""
        raise UserError(
            f"The study leaks: {what} {names[i]} is a copy of the test image {test_names[j]}{more}; a result would mean nothing. "
            "Remove it, or give both images one lesion."
        )


def _shrink(images: np.ndarray, side: int) -> np.ndarray:
    """(N, side, side, 3) float32 means over square cells."""
    n, size = images.shape[:2]
    cell = size // side
    cut = np.asarray(images[:, : side * cell, : side * cell], np.float32)
    return cut.reshape(n, side, cell, side, cell, 3).mean((2, 4))


def _turn(images: np.ndarray, turn: int) -> np.ndarray:
    """One of the eight ways of a square."""
    turned = np.rot90(images, turn % 4, (1, 2))
    return turned[:, :, ::-1] if turn >= 4 else turned
