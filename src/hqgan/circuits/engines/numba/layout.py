"""Compiled: where the rows of a state stand. `low` is `Layout.first_bits`.

Row j stands in place j + (j >> low), so that rows that differ in a high bit alone do not fall on one line of the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.simd import BYTES


class Layout(NamedTuple):
    """How a state's rows stand in memory, see LAYOUT.md."""

    lane_bits: int  # lowest bits of a basis index, which choose a number within a row
    row_bits: int  # the others, which choose the row
    first_bits: int  # row bits of the lowest group; after every 2^first_bits rows there is an empty one


@compiled
def address_of(array):
    """An array's address as a signed number, as the structs have them."""
    return np.int64(array.ctypes.data)


@compiled
def stride(bit, low):
    """Bytes between rows that differ in a bit alone."""
    return ((1 << bit) + (1 << (bit - low) if bit >= low else 0)) * BYTES


@compiled
def row_of(rest, start, width, low):
    """The row whose bits are `rest` with `width` zeros put in from bit `start` on, and where it stands in bytes."""
    j = (rest & ((1 << start) - 1)) | (rest >> start) << (start + width)
    return j, row_address(j, low)


@compiled
def row_address(j, low):
    """Where a row stands, in bytes."""
    return (j + (j >> low)) * BYTES
