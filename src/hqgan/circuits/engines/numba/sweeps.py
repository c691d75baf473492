"""Compiled sweeps over whole states: a group of bits is rotated in one layer or more, with the CZs between, there and back.

A sweep takes 2^m rows that differ in one group of up to eight bits, applies what these can take, and writes them back. `kernels`
tells how a state stands in rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import by_address, compiled
from hqgan.circuits.engines.numba.kernels import HELD, turn1, turn2, turn3, turn4, undo1, undo2, undo3, undo_apart
from hqgan.circuits.engines.numba.layout import row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES, INT


@intrinsic
def call(context, address, arguments):
    """Call a function of int64 by its address."""

    def emit(ctx, b, sig, values):
        address, packed = values
        given = cgutils.unpack_tuple(b, packed)
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(given))
        b.call(b.inttoptr(address, kind.as_pointer()), given)
        return ctx.get_dummy_value()

    return types.void(address, types.UniTuple(types.int64, len(arguments))), emit


@lru_cache
def loops(dtype):
    """Loops over `turn` and `undo` for states of a type, compiled, with addresses.

    Each takes `count` settings of bits that are not rotated, `bit` of them below those that are: a setting begins where these
    bits say, in units of bytes or of codes, and its rows are a step apart.
    """
    kind = np.empty(0, dtype)

    def turns(bits, bit, count, source, unit, step, target, target_unit, target_step, layers, gates, lane_gates, gate_step, kinds,
              each, codes, code_unit, code_step, patterns, pattern_step, signed):  # fmt: skip
        low = (1 << bit) - 1
        for rest in range(count):
            j = (rest & low) | (rest >> bit) << (bit + bits)
            one, two, code = source + j * unit, target + j * target_unit, codes + j * code_unit
            # fmt: off
            if bits == 4:
                turn4(one, step, two, target_step, layers, gates, lane_gates, gate_step, kinds, each, code, code_step, patterns,
                      pattern_step, signed, kind)
            elif bits == 3:
                turn3(one, step, two, target_step, layers, gates, lane_gates, gate_step, kinds, each, code, code_step, patterns,
                      pattern_step, signed, kind)
            elif bits == 2:
                turn2(one, step, two, target_step, layers, gates, lane_gates, gate_step, kinds, each, code, code_step, patterns,
                      pattern_step, signed, kind)
            else:
                turn1(one, step, two, target_step, layers, gates, lane_gates, gate_step, kinds, each, code, code_step, patterns,
                      pattern_step, signed, kind)
            # fmt: on

    def undos(bits, bit, count, source, unit, step, gap, target, target_unit, target_step, target_gap, layers, gates, lane_gates,
              gate_step, kinds, each, sums, lane_sums, sum_step, codes, code_unit, code_step, patterns, pattern_step,
              signed):  # fmt: skip
        low = (1 << bit) - 1
        for rest in range(count):
            j = (rest & low) | (rest >> bit) << (bit + bits)
            one, two, code = source + j * unit, target + j * target_unit, codes + j * code_unit
            # fmt: off
            if bits == HELD:
                undo_apart(one, step, gap, two, target_step, target_gap, layers, gates, gate_step, kinds, each, sums,
                           sum_step, code, code_step, patterns, pattern_step, signed, kind)
            elif bits == 3:
                undo3(one, step, gap, two, target_step, target_gap, layers, gates, lane_gates, gate_step, kinds, each, sums,
                      lane_sums, sum_step, code, code_step, patterns, pattern_step, signed, kind)
            elif bits == 2:
                undo2(one, step, gap, two, target_step, target_gap, layers, gates, lane_gates, gate_step, kinds, each, sums,
                      lane_sums, sum_step, code, code_step, patterns, pattern_step, signed, kind)
            else:
                undo1(one, step, gap, two, target_step, target_gap, layers, gates, lane_gates, gate_step, kinds, each, sums,
                      lane_sums, sum_step, code, code_step, patterns, pattern_step, signed, kind)
            # fmt: on

    return by_address(21, turns), by_address(26, undos)


@compiled
def sweep(source, target, buffer, where, group, kinds, gates, codes, patterns, kind):
    """Rotations of one group of bits in several layers, on a whole state.

    Args:
        source: (rows, lanes).
        target: (rows, lanes), where the result goes; may be the source.
        buffer: (2^8, lanes), to work in.
        where: (lane bits, row bits, row bits of the first group), see `places`.
        group: (first bit among the rows, bits, first layer, layers, whether the first layer comes after the signs too).
        kinds: (R,) uint8: 0, 1, 2 for rotations about y, x, z.
        gates: (L, n, R): tangent of half the angle of each rotation, by bit.
        codes: (2^row bits,) uint8: which pattern a row has.
        patterns: (L, patterns, lanes): signs and factors, multiplied in before a layer.
        kind: an array of the state's type, and the addresses of `loops`.
    """
    lane_bits, row_bits, low = where
    start, size, first, count, signed = group[0], group[1], group[2], group[3], group[4]
    item = gates.itemsize
    begun, at = source.ctypes.data, target.ctypes.data
    n, each = gates.shape[1:3]
    gate_step, pattern_step = n * each * item, patterns.shape[1] * BYTES
    step = stride(start, low)
    parts = (size + HELD - 1) // HELD
    together = settings(start, size, row_bits, low) if parts == 1 else 1
    once = count if parts == 1 else 1  # layers that the registers take at a time
    for outer in range(0, 1 << (row_bits - size), together):
        base, home = row_of(outer, start, size, low)
        # The lowest group's rows stand side by side in the target too.
        room = buffer.ctypes.data if start else at + home
        for layer in range(first, first + count, once):
            here = gates.ctypes.data + layer * gate_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                opening, closing = layer == first and part == 0, layer + once == first + count and part == parts - 1
                one, one_step = (begun + home, step) if opening else (room, BYTES)
                two, two_step = (at + home, step) if closing else (room, BYTES)
                if parts == 1:
                    below, many, unit, two_unit, code_unit = start, together, BYTES, BYTES, 1
                else:
                    below, many, unit, two_unit, code_unit = bit, 1 << (size - width), one_step, two_step, 1 << start
                arguments = (
                    width, below, many, one, unit, one_step << bit, two, two_unit, two_step << bit, once,
                    here + (lane_bits + start + bit) * each * item, here if part == 0 and start == 0 else 0, gate_step,
                    kinds.ctypes.data, each, codes.ctypes.data + base, code_unit, 1 << start + bit,
                    patterns.ctypes.data + layer * pattern_step, pattern_step,
                    1 if part == 0 and (signed or layer > first) else 0,
                )  # fmt: skip
                call(kind[1], arguments)
                bit += width


@compiled
def sweep_back(at, gap, buffer, where, group, kinds, gates, codes, patterns, sums, kind):
    """Undo `sweep` on a state at an address and its adjoint, a gap behind it; add gradients up in sums (L, n, R, lanes)."""
    lane_bits, row_bits, low = where
    start, size, first, count, signed = group[0], group[1], group[2], group[3], group[4]
    item = gates.itemsize
    n, each = gates.shape[1:3]
    gate_step, sum_step, pattern_step = n * each * item, n * each * BYTES, patterns.shape[1] * BYTES
    step = stride(start, low)
    held = HELD if start else HELD - 1  # the lowest takes the lanes' bits with it
    parts = (size + held - 1) // held
    together = settings(start, size, row_bits, low) if parts == 1 else 1
    once = count if parts == 1 else 1
    for outer in range(0, 1 << (row_bits - size), together):
        base, home = row_of(outer, start, size, low)
        home += at
        room, room_gap = (buffer.ctypes.data, buffer.shape[1] * BYTES) if start else (home, gap)
        for layer in range(first + count - once, first - 1, -once):
            here, below = gates.ctypes.data + layer * gate_step, sums.ctypes.data + layer * sum_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                row = (lane_bits + start + bit) * each
                opening, closing = layer + once == first + count and part == 0, layer == first and part == parts - 1
                one, one_step, one_gap = (home, step, gap) if opening else (room, BYTES, room_gap)
                two, two_step, two_gap = (home, step, gap) if closing else (room, BYTES, room_gap)
                if parts == 1:
                    under, many, unit, two_unit, code_unit = start, together, BYTES, BYTES, 1
                else:
                    under, many, unit, two_unit, code_unit = bit, 1 << (size - width), one_step, two_step, 1 << start
                arguments = (
                    width, under, many, one, unit, one_step << bit, one_gap, two, two_unit, two_step << bit, two_gap, once,
                    here + row * item, here if part == 0 and start == 0 else 0, gate_step, kinds.ctypes.data, each,
                    below + row * BYTES, below, sum_step, codes.ctypes.data + base, code_unit, 1 << start + bit,
                    patterns.ctypes.data + layer * pattern_step, pattern_step,
                    1 if part == parts - 1 and (signed or layer > first) else 0,
                )  # fmt: skip
                call(kind[2], arguments)
                bit += width


@compiled
def settings(start, size, row_bits, low):
    """How many settings of the bits out of a group can be gone through without an empty row between."""
    return 1 << (min(start, low) if start else min(low, row_bits) - size)
