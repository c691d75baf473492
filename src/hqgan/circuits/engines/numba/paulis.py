"""Compiled: readouts of single qubits, straight from a final state: expectations of X, Y, Z, and the adjoint that they make.

A pass takes 2^m rows that differ in one part of a group's bits, as the sweeps in `kernels` do; the first part takes the bits of
the lanes too.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES, INT, Rows


def _on_rows(rows, letter, x, y):
    """X, Y or Z (0, 1, 2) on the rows of |0> and |1>."""
    if letter == 0:
        return y, x
    if letter == 1:
        return rows.minus_i(y), rows.b.fneg(rows.minus_i(x))
    return x, rows.b.fneg(y)


def _on_lanes(rows, letter, bit):
    """The same where the bit chooses lanes: which lane's number each lane gets, and its sign."""
    order, signs = [], []
    half = rows.lanes // 2 if rows.complex else rows.lanes
    for lane in range(rows.lanes):
        one, imaginary = lane >> bit & 1, lane >= half
        other = lane if letter == 2 else lane ^ 1 << bit
        order.append((other + half) % rows.lanes if letter == 1 else other)
        signs.append({0: 1.0, 1: 1.0 if one == imaginary else -1.0, 2: -1.0 if one else 1.0}[letter])
    return order, rows.constant(signs)


def _letters(rows, only, wanted, act):
    """Call act(letter) for the one that is known now, or in a branch of its own for each that is wanted, a set of bits."""
    b = rows.b
    if only is not None:
        act(only)
        return
    for letter in (0, 1, 2) if rows.complex else (0, 2):
        with b.if_then(b.trunc(b.lshr(wanted, ir.Constant(INT, letter)), ir.IntType(1))):
            act(letter)


def _patterns(rows, count, codes, code_step, patterns):
    return [rows.load(rows.at(patterns, BYTES, rows.byte(rows.at(codes, j, code_step)))) for j in range(count)]


# Bits of a part, whether it is the first one, and the letter that is known now, if any: four bits take X alone, so that the rows'
# sums stay in the registers.
_PARTS = [(bits, first, 0 if bits == 4 else None) for bits in (1, 2, 3, 4) for first in (False, True)]


def _each_part(b, width, first, emit):
    """Call emit(bits, first, only) in a branch of its own for each kind of part."""
    for bits, is_first, only in _PARTS:
        same = b.icmp_signed("==", width, ir.Constant(INT, bits))
        with b.if_then(b.and_(same, b.icmp_signed("==", first, ir.Constant(INT, int(is_first))))):
            emit(bits, is_first, only)


@intrinsic
def expect(context, width, first, source, step, codes, code_step, patterns, sums, lane_sums, wanted, kind):
    """Add to sums (bits, 3, lanes) what 2^width rows have to do with the expectations of X, Y, Z.

    The first part gives the rows the last signs and factor, and takes the lanes' bits with it.
    """

    def emit(ctx, b, sig, arguments):
        width, first, source, step, codes, code_step, patterns, sums, lane_sums, wanted, _ = arguments
        rows = Rows(b, kind)

        def part(bits, first, only):
            count = 1 << bits
            state = [rows.load(rows.at(source, j, step)) for j in range(count)]
            if first:
                for j, pattern in enumerate(_patterns(rows, count, codes, code_step, patterns)):
                    state[j] = b.fmul(state[j], pattern)
                    rows.store(state[j], rows.at(source, j, step))

            def add(base, place, terms, factor):
                at = b.add(base, ir.Constant(INT, place * BYTES))
                totals = [rows.constant([0.0] * rows.lanes)] * 2  # one would wait for itself
                for i, (x, y) in enumerate(terms):
                    totals[i % 2] = rows.fma(x, y, totals[i % 2])
                rows.store(rows.fma(b.fadd(*totals), factor, rows.load(at)), at)

            def act(letter):
                # X and Y pair the rows, and both of a pair say the same.
                factor = rows.constant([1.0 if letter == 2 else 2.0] * rows.lanes)
                for q in range(bits):
                    terms = []
                    for j in range(count):
                        if not j >> q & 1:
                            x, y = state[j], state[j | 1 << q]
                            one, two = _on_rows(rows, letter, x, y)
                            terms += [(x, one), (y, two)] if letter == 2 else [(x, one)]
                    add(sums, 3 * q + letter, terms, factor)
                if first:
                    for q in range(rows.bits):
                        order, signs = _on_lanes(rows, letter, q)
                        add(lane_sums, 3 * q + letter, [(x, rows.shuffle(x, order)) for x in state], signs)

            _letters(rows, only, wanted, act)

        _each_part(b, width, first, part)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 10, kind), emit


@intrinsic
def observe(
    context, width, first, last, source, target, undone, step, codes, code_step, signs, factors, lane_factors, wanted, kind
):  # fmt: skip
    """Add to 2^width rows the sum of X, Y, Z of the bits, times factors (bits, 3), of a state.

    The first part writes instead, takes the lanes' bits with it, and takes the last signs back from the state; the last part
    takes them back from the sum.
    """

    def emit(ctx, b, sig, arguments):
        width, first, last, source, target, undone, step, codes, code_step, *others = arguments
        signs, factors, lane_factors, wanted, _ = others
        rows = Rows(b, kind)
        is_last = b.icmp_signed("!=", last, ir.Constant(INT, 0))

        def part(bits, first, only):
            count = 1 << bits
            state = [rows.load(rows.at(source, j, step)) for j in range(count)]
            places = [rows.at(target, j, step) for j in range(count)]
            patterns = _patterns(rows, count, codes, code_step, signs)
            if first:
                for j, (row, pattern) in enumerate(zip(state, patterns, strict=True)):
                    rows.store(b.fmul(row, pattern), rows.at(undone, j, step))
            begun = [rows.constant([0.0] * rows.lanes) if first else rows.load(place) for place in places]
            found = begun if only is not None else [cgutils.alloca_once_value(b, row) for row in begun]

            def add(j, factor, value):
                if only is None:
                    b.store(rows.fma(factor, value, b.load(found[j])), found[j])
                else:
                    found[j] = rows.fma(factor, value, found[j])

            def act(letter):
                for q in range(bits):
                    factor = rows.fill(rows.number(factors, 3 * q + letter))
                    for j in range(count):
                        if not j >> q & 1:
                            k = j | 1 << q
                            for place, value in zip((j, k), _on_rows(rows, letter, state[j], state[k]), strict=True):
                                add(place, factor, value)
                if first:
                    for q in range(rows.bits):
                        order, lane_signs = _on_lanes(rows, letter, q)
                        factor = b.fmul(rows.fill(rows.number(lane_factors, 3 * q + letter)), lane_signs)
                        for j, x in enumerate(state):
                            add(j, factor, rows.shuffle(x, order))

            _letters(rows, only, wanted, act)
            ones = rows.constant([1.0] * rows.lanes)
            for place, pattern, row in zip(places, patterns, found, strict=True):
                value = row if only is not None else b.load(row)
                rows.store(b.fmul(value, b.select(is_last, pattern, ones)), place)

        _each_part(b, width, first, part)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 13, kind), emit


@compiled
def expectations(state, where, parts, codes, patterns, wanted, sums, kind):
    """Add the expectations of a final state (rows, lanes) to sums (n, 3, lanes), by bit and X, Y, Z, lane by lane.

    Args:
        state: final, but for the last signs and factor, which it gets.
        where: as in `sweeps.sweep`.
        parts: (parts, 2): first bit among the rows, bits; four bits only if X alone is wanted.
        codes: as in `sweeps.sweep`.
        patterns: (patterns, lanes): the last signs and factor.
        wanted: 1, 2, 4 for X, Y, Z, or their sum.
        sums: (n, 3, lanes).
        kind: as in `sweeps.sweep`.
    """
    lane_bits, row_bits, low = where
    at, table, lanes_at = state.ctypes.data, patterns.ctypes.data, sums.ctypes.data
    for part in range(len(parts)):
        start, width = parts[part, 0], parts[part, 1]
        step = stride(start, low)
        here = lanes_at + (lane_bits + start) * 3 * BYTES
        for rest in range(1 << (row_bits - width)):
            j, home = row_of(rest, start, width, low)
            code = codes.ctypes.data + j
            expect(
                width, 1 if part == 0 else 0, at + home, step, code, 1 << start, table, here, lanes_at, wanted, kind
            )  # fmt: skip


@compiled
def observed(both, state, where, parts, codes, signs, factors, wanted, kind):
    """Begin the way back from a final state, as `expectations` left it; the other arguments are as there.

    Writes to both (2, rows, lanes) the state, and what the sum of X, Y, Z of its bits, times factors (n, 3), makes of it, each
    without the last signs (patterns, lanes).
    """
    lane_bits, row_bits, low = where
    item, lanes_at = factors.itemsize, factors.ctypes.data
    at, undone, to, table = state.ctypes.data, both[0].ctypes.data, both[1].ctypes.data, signs.ctypes.data
    for part in range(len(parts)):
        start, width = parts[part, 0], parts[part, 1]
        step, last = stride(start, low), 1 if part == len(parts) - 1 else 0
        here = lanes_at + (lane_bits + start) * 3 * item
        for rest in range(1 << (row_bits - width)):
            j, home = row_of(rest, start, width, low)
            code, a, b, c = codes.ctypes.data + j, at + home, to + home, undone + home
            observe(
                width, 1 if part == 0 else 0, last, a, b, c, step, code, 1 << start, table, here, lanes_at, wanted, kind
            )  # fmt: skip
