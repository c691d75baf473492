"""Memory that one call hands to the next, since fresh pages cost as much time as the arithmetic that fills them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

_SPARE: dict[int, list[torch.Tensor]] = {}
"""Free memory by size in bytes. Taking from a list and adding to it need no lock."""
_SIZES = 16
"""Different sizes kept at most, so that calls of many sizes do not fill the memory."""


class Buffer:
    """An array whose memory goes to the next buffer of its size when this one is deleted.

    Args:
        shape: of the array; it starts at the boundary of a row (64 bytes) and holds whatever numbers were there.
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
