"""What would make a study worthless: images on the training side that are copies of test images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hqgan.errors import UserError
from hqgan.metrics.near_duplicates import nearest_copies


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
            f"The study leaks: {what} {names[i]} is a copy of the test image {test_names[j]}{more}; a result would mean "
            "nothing. Remove it, or give both images one lesion."
        )
