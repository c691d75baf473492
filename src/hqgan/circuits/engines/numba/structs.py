"""Named tuples that compiled functions take in place of long lists of arguments; addresses and distances are in bytes.

Numba passes a named tuple's fields on like single arguments, so that names cost nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types


class Layout(NamedTuple):
    """How a state's rows stand in memory, see LAYOUT.md."""

    lane_bits: int  # lowest bits of a basis index, which choose a number within a row
    row_bits: int  # the others, which choose the row
    first_bits: int  # row bits of the lowest group; after every 2^first_bits rows there is an empty one


class Kind(NamedTuple):
    """What kind of numbers a state has, and the loops that were compiled for it."""

    example: np.ndarray  # empty, of the state's type
    turns: int  # addresses of the functions that `sweeps.loops` gives
    undos: int


class Layers(NamedTuple):
    """What rotates and signs in some layers of one circuit."""

    axes: np.ndarray  # (R,) uint8: 0, 1, 2 for rotations about y, x, z
    tangents: np.ndarray  # (L, n, R): of half the angle of each rotation, by bit
    codes: np.ndarray  # (2^row bits,) uint8: which pattern a row has
    patterns: np.ndarray  # (L, patterns, lanes): signs and factors, multiplied in before a layer


class Strides(NamedTuple):
    """Where 2^bits rows, or their codes, stand for each setting of the other bits."""

    address: int
    setting: int  # from one setting to the next
    row: int  # from one row to the next
    adjoint: int  # from a state to its adjoint, where both are at hand


class Gates(NamedTuple):
    """Tangents of the rotations, in some layers."""

    layers: int  # how many layers
    address: int  # of the first layer
    lanes: int  # address of those on the lanes' bits; 0 where they are not rotated
    layer: int  # from one layer to the next
    axes: int  # address of the rotations' axes
    per_qubit: int  # rotations of a qubit in a layer


class Signs(NamedTuple):
    """Patterns of signs and factors, in some layers."""

    address: int
    layer: int  # from one layer to the next
    first: int  # whether the first layer has them too


class Sums(NamedTuple):
    """Where gradients are added up, in some layers."""

    address: int
    lanes: int  # address of those on the lanes' bits
    layer: int  # from one layer to the next


class Part(NamedTuple):
    """Neighbouring bits whose single-qubit readouts are taken in one pass over a state."""

    bits: int
    first: int  # whether it is the first part, which takes the lanes' bits with it
    last: int


class Codes(NamedTuple):
    """Which patterns some rows have."""

    address: int  # of the first row's code
    row: int  # from one row's code to the next
    patterns: int  # address of the table of patterns


def struct_type(struct: type) -> types.NamedUniTuple:
    """Numba's type of one of these whose fields are all int64."""
    return types.NamedUniTuple(types.int64, len(struct._fields), struct)  # type: ignore[attr-defined]
