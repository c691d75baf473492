"""Compiled sweeps over whole states: a group of bits is rotated in one layer or more, with the signs between, there and back.

A sweep takes 2^m rows that differ in one group of up to eight bits, applies what these can take, and writes them back. LAYOUT.md
shows how a state stands in rows. Addresses and distances are in bytes. Numba passes a named tuple's fields on like single
arguments, so that names cost nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import by_address, compiled
from hqgan.circuits.engines.numba.kernels import HELD, turn1, turn2, turn3, turn4, undo1, undo2, undo3, undo_apart
from hqgan.circuits.engines.numba.layout import address_of, row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES


class Kind(NamedTuple):
    """What kind of numbers a state has, and the loops that were compiled for it."""

    example: np.ndarray  # empty, of the state's type
    turns: int  # addresses of the functions that `loop` gives
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
    """Rotations, patterns of signs and factors, and sums of gradients, in some layers; addresses are of the first layer."""

    layers: int  # how many layers
    axes: int  # address of the rotations' axes
    per_qubit: int  # rotations of a qubit in a layer
    tangents: int  # address of the rotations' tangents
    lane_tangents: int  # address of those on the lanes' bits; 0 where they are not rotated
    gate_step: int  # from one layer's tangents to the next's
    patterns: int  # address
    pattern_step: int
    signed: int  # whether the first layer has patterns too
    sums: int  # address of where gradients are added up, on the way back
    lane_sums: int  # of those on the lanes' bits
    sum_step: int


@intrinsic
def call(context, address, arguments):
    """Call a function by its address."""

    def emit(ctx, b, sig, values):
        address, packed = values
        given = cgutils.unpack_tuple(b, packed)
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        b.call(b.inttoptr(address, kind.as_pointer()), given)
        return ctx.get_dummy_value()

    return types.void(address, arguments), emit


@lru_cache
def loop(dtype, back):
    """A loop over `turn`, or if back over `undo`, for states of a type, compiled, with an address.

    It takes `count` settings of bits that are not rotated, `below` of them below those that are.
    """
    kind = np.empty(0, dtype)

    def run(bits, below, count, source, target, codes, gates):
        low = (1 << below) - 1
        for rest in range(count):
            j = (rest & low) | (rest >> below) << (below + bits)
            one, two, code = moved(source, j), moved(target, j), moved(codes, j)
            if back:
                if bits == HELD:
                    undo_apart(one, two, code, gates, kind)
                elif bits == 3:
                    undo3(one, two, code, gates, kind)
                elif bits == 2:
                    undo2(one, two, code, gates, kind)
                else:
                    undo1(one, two, code, gates, kind)
            elif bits == 4:
                turn4(one, two, code, gates, kind)
            elif bits == 3:
                turn3(one, two, code, gates, kind)
            elif bits == 2:
                turn2(one, two, code, gates, kind)
            else:
                turn1(one, two, code, gates, kind)

    structs = [types.NamedUniTuple(types.int64, len(s._fields), s) for s in (Strides, Strides, Strides, Gates)]
    return by_address([types.int64] * 3 + structs, run)


@compiled
def moved(strides, j):
    """The same for setting j alone."""
    return Strides(strides.address + j * strides.setting, strides.setting, strides.row, strides.adjoint)


@compiled
def sweep(source, target, gap, buffer, layout, group, layers, sums, kind):
    """Rotations of one group of bits in several layers, on a whole state; or their way back, on a state and its adjoint.

    Args:
        source: address of a state (rows, lanes).
        target: address of where the result goes; may be the source's, and is on the way back.
        gap: from a state to its adjoint, if the layers are undone; else 0.
        buffer: (2, 2^8, lanes), to work in.
        layout: a `layout.Layout`.
        group: (first bit among the rows, bits, first layer, layers, whether the first layer comes after the signs too).
        layers: a `Layers`.
        sums: address of (L, n, R, lanes) numbers, to which the gates' gradients are added, if there is a gap.
        kind: a `Kind`.
    """
    start, size, first, count, signed = group
    back = gap != 0
    axes, tangents, item = address_of(layers.axes), address_of(layers.tangents), layers.tangents.itemsize
    codes, patterns, buffer_at = address_of(layers.codes), address_of(layers.patterns), address_of(buffer)
    n, each = layers.tangents.shape[1:3]
    gate_step, sum_step, pattern_step = n * each * item, n * each * BYTES, layers.patterns.shape[1] * BYTES
    step = stride(start, layout.first_bits)
    held = HELD - 1 if back and start == 0 else HELD  # the lowest takes the lanes' bits with it
    parts = (size + held - 1) // held
    low = layout.first_bits
    # Settings of the other bits that can be gone through without an empty row between.
    together = 1 << (min(start, low) if start else min(low, layout.row_bits) - size) if parts == 1 else 1
    once = count if parts == 1 else 1  # layers that the registers take at a time
    for outer in range(0, 1 << (layout.row_bits - size), together):
        base, home = row_of(outer, start, size, low)
        # The lowest group's rows stand side by side in the target too.
        scratch, scratch_gap = (buffer_at, buffer.shape[1] * BYTES) if start else (target + home, gap)
        for done in range(0, count, once):
            layer = first + (count - once - done if back else done)
            here, added = tangents + layer * gate_step, sums + layer * sum_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                row = (layout.lane_bits + start + bit) * each
                opening, closing = done == 0 and part == 0, done + once == count and part == parts - 1
                one, one_step, one_gap = (source + home, step, gap) if opening else (scratch, BYTES, scratch_gap)
                two, two_step, two_gap = (target + home, step, gap) if closing else (scratch, BYTES, scratch_gap)
                if parts == 1:
                    below, many, unit, two_unit, code_unit = start, together, BYTES, BYTES, 1
                else:
                    below, many, unit, two_unit, code_unit = bit, 1 << (size - width), one_step, two_step, 1 << start
                lanes = here if part == 0 and start == 0 else 0
                signed_here = part == (parts - 1 if back else 0) and (signed or layer > first)
                arguments = (
                    width, below, many,
                    Strides(one, unit, one_step << bit, one_gap),
                    Strides(two, two_unit, two_step << bit, two_gap),
                    Strides(codes + base, code_unit, 1 << start + bit, 0),
                    Gates(
                        once, axes, each, here + row * item, lanes, gate_step,
                        patterns + layer * pattern_step, pattern_step, int(signed_here), added + row * BYTES, added, sum_step,
                    ),
                )  # fmt: skip
                call(kind.undos if back else kind.turns, arguments)
                bit += width
