"""Compiled: where the rows of a state stand. `low` is the count of row bits of the first group, as in `sweeps.sweep`.

Row j stands in row j + (j >> low): rows that differ in a high bit alone would else fall on one line of the cache.
"""

from __future__ import annotations

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.simd import BYTES


@compiled
def stride(bit, low):
    """Bytes between rows that differ in a bit alone."""
    return ((1 << bit) + (1 << (bit - low) if bit >= low else 0)) * BYTES


@compiled
def row_of(rest, start, width, low):
    """The row whose bits are `rest` but for `width` bits from `start` on, which are nought, and where it stands in bytes."""
    j = (rest & ((1 << start) - 1)) | (rest >> start) << (start + width)
    return j, place(j, low)


@compiled
def place(j, low):
    """Where a row stands, in bytes."""
    return (j + (j >> low)) * BYTES
