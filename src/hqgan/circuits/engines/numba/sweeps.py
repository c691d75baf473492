"""Compiled sweeps over whole states: a group of bits is rotated in one layer or more, with the signs between, there and back.

A sweep takes 2^m rows that differ in one group of up to eight bits, applies what these can take, and writes them back. LAYOUT.md
shows how a state stands in rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import by_address, compiled
from hqgan.circuits.engines.numba.kernels import HELD, turn1, turn2, turn3, turn4
from hqgan.circuits.engines.numba.layout import address_of, row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES
from hqgan.circuits.engines.numba.structs import Gates, Signs, Strides, Sums, struct_type
from hqgan.circuits.engines.numba.undo_kernels import undo1, undo2, undo3, undo_apart


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
def loops(dtype):
    """Loops over `turn` and `undo` for states of a type, compiled, with addresses.

    Each takes `count` settings of bits that are not rotated, `below` of them below those that are.
    """
    kind = np.empty(0, dtype)

    def turns(bits, below, count, source, target, codes, gates, signs):
        low = (1 << below) - 1
        for rest in range(count):
            j = (rest & low) | (rest >> below) << (below + bits)
            one, two, code = moved(source, j), moved(target, j), moved(codes, j)
            if bits == 4:
                turn4(one, two, code, gates, signs, kind)
            elif bits == 3:
                turn3(one, two, code, gates, signs, kind)
            elif bits == 2:
                turn2(one, two, code, gates, signs, kind)
            else:
                turn1(one, two, code, gates, signs, kind)

    def undos(bits, below, count, source, target, codes, gates, signs, sums):
        low = (1 << below) - 1
        for rest in range(count):
            j = (rest & low) | (rest >> below) << (below + bits)
            one, two, code = moved(source, j), moved(target, j), moved(codes, j)
            if bits == HELD:
                undo_apart(one, two, code, gates, signs, sums, kind)
            elif bits == 3:
                undo3(one, two, code, gates, signs, sums, kind)
            elif bits == 2:
                undo2(one, two, code, gates, signs, sums, kind)
            else:
                undo1(one, two, code, gates, signs, sums, kind)

    types_ = [types.int64] * 3 + [struct_type(struct) for struct in (Strides, Strides, Strides, Gates, Signs, Sums)]
    return by_address(types_[:-1], turns), by_address(types_, undos)


@compiled
def moved(strides, j):
    """The same for setting j alone."""
    return Strides(strides.address + j * strides.setting, strides.setting, strides.row, strides.adjoint)


@compiled
def sweep(source, target, buffer, layout, group, layers, kind):
    """Rotations of one group of bits in several layers, on a whole state.

    Args:
        source: (rows, lanes).
        target: (rows, lanes), where the result goes; may be the source.
        buffer: (2^8, lanes), to work in.
        layout: a `structs.Layout`.
        group: (first bit among the rows, bits, first layer, layers, whether the first layer comes after the signs too).
        layers: a `structs.Layers`.
        kind: a `structs.Kind`.
    """
    start, size, first, count, signed = group[0], group[1], group[2], group[3], group[4]
    axes, tangents = address_of(layers.axes), address_of(layers.tangents)
    codes, patterns = address_of(layers.codes), address_of(layers.patterns)
    begun, at, buffer_at, item = address_of(source), address_of(target), address_of(buffer), layers.tangents.itemsize
    n, each = layers.tangents.shape[1:3]
    gate_step, sign_step = n * each * item, layers.patterns.shape[1] * BYTES
    step = stride(start, layout.first_bits)
    parts = (size + HELD - 1) // HELD
    together = settings(start, size, layout) if parts == 1 else 1
    once = count if parts == 1 else 1  # layers that the registers take at a time
    for outer in range(0, 1 << (layout.row_bits - size), together):
        base, home = row_of(outer, start, size, layout.first_bits)
        # The lowest group's rows stand side by side in the target too.
        scratch = buffer_at if start else at + home
        for layer in range(first, first + count, once):
            here = tangents + layer * gate_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                opening, closing = layer == first and part == 0, layer + once == first + count and part == parts - 1
                one, one_step = (begun + home, step) if opening else (scratch, BYTES)
                two, two_step = (at + home, step) if closing else (scratch, BYTES)
                if parts == 1:
                    below, many, unit, two_unit, code_unit = start, together, BYTES, BYTES, 1
                else:
                    below, many, unit, two_unit, code_unit = bit, 1 << (size - width), one_step, two_step, 1 << start
                lanes = here if part == 0 and start == 0 else 0
                arguments = (
                    width, below, many,
                    Strides(one, unit, one_step << bit, 0),
                    Strides(two, two_unit, two_step << bit, 0),
                    Strides(codes + base, code_unit, 1 << start + bit, 0),
                    Gates(once, here + (layout.lane_bits + start + bit) * each * item, lanes, gate_step, axes, each),
                    Signs(patterns + layer * sign_step, sign_step, 1 if part == 0 and (signed or layer > first) else 0),
                )  # fmt: skip
                call(kind.turns, arguments)
                bit += width


@compiled
def undo_sweep(at, gap, buffer, layout, group, layers, sums, kind):
    """Undo `sweep` on a state at an address and its adjoint, a gap behind it; add gradients up in sums (L, n, R, lanes)."""
    start, size, first, count, signed = group[0], group[1], group[2], group[3], group[4]
    axes, tangents, item = address_of(layers.axes), address_of(layers.tangents), layers.tangents.itemsize
    codes, patterns, buffer_at, sums_at = (
        address_of(layers.codes),
        address_of(layers.patterns),
        address_of(buffer),
        address_of(sums),
    )
    n, each = layers.tangents.shape[1:3]
    gate_step, sum_step, sign_step = n * each * item, n * each * BYTES, layers.patterns.shape[1] * BYTES
    step = stride(start, layout.first_bits)
    held = HELD if start else HELD - 1  # the lowest takes the lanes' bits with it
    parts = (size + held - 1) // held
    together = settings(start, size, layout) if parts == 1 else 1
    once = count if parts == 1 else 1
    for outer in range(0, 1 << (layout.row_bits - size), together):
        base, home = row_of(outer, start, size, layout.first_bits)
        home += at
        scratch, scratch_gap = (buffer_at, buffer.shape[1] * BYTES) if start else (home, gap)
        for layer in range(first + count - once, first - 1, -once):
            here, added = tangents + layer * gate_step, sums_at + layer * sum_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                row = (layout.lane_bits + start + bit) * each
                opening, closing = layer + once == first + count and part == 0, layer == first and part == parts - 1
                one, one_step, one_gap = (home, step, gap) if opening else (scratch, BYTES, scratch_gap)
                two, two_step, two_gap = (home, step, gap) if closing else (scratch, BYTES, scratch_gap)
                if parts == 1:
                    below, many, unit, two_unit, code_unit = start, together, BYTES, BYTES, 1
                else:
                    below, many, unit, two_unit, code_unit = bit, 1 << (size - width), one_step, two_step, 1 << start
                lanes = here if part == 0 and start == 0 else 0
                signed_here = part == parts - 1 and (signed or layer > first)
                arguments = (
                    width, below, many,
                    Strides(one, unit, one_step << bit, one_gap),
                    Strides(two, two_unit, two_step << bit, two_gap),
                    Strides(codes + base, code_unit, 1 << start + bit, 0),
                    Gates(once, here + row * item, lanes, gate_step, axes, each),
                    Signs(patterns + layer * sign_step, sign_step, 1 if signed_here else 0),
                    Sums(added + row * BYTES, added, sum_step),
                )  # fmt: skip
                call(kind.undos, arguments)
                bit += width


@compiled
def settings(start, size, layout):
    """How many settings of the bits out of a group can be gone through without an empty row between."""
    low = layout.first_bits
    return 1 << (min(start, low) if start else min(low, layout.row_bits) - size)
