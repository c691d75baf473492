"""Memory that one call leaves to the next: fresh pages cost as much as the arithmetic that fills them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

_SPARE: dict[int, list[torch.Tensor]] = {}
"""By size in bytes. Taking from a list and adding to it need no lock."""
_SIZES = 16
"""Kept at most, so that calls of many sizes do not fill the memory."""


class Room:
    """An array whose memory goes on to the next room of its size when this one is forgotten.

    Args:
        shape: of the array; it starts at the boundary of a row and holds what was there.
        dtype: of its numbers.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._size = size = math.prod(shape) * dtype.itemsize
        try:
            self._memory = _SPARE[size].pop()
        except (KeyError, IndexError):
            if len(_SPARE) >= _SIZES:
                _SPARE.clear()
            self._memory = torch.empty(size, dtype=torch.uint8)
        self.array = self._memory.numpy().view(dtype).reshape(shape)

    def __del__(self) -> None:
        _SPARE.setdefault(self._size, []).append(self._memory)
