"""Compiled: readouts of single qubits, straight from a final state: expectations of X, Y, Z, and the adjoint that they make.

A pass takes 2^m rows that differ in one part of a group's bits, as `sweeps` do; the first part takes the bits of the lanes too.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import address_of, row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES, INT, Rows, unpacked
from hqgan.circuits.engines.numba.structs import Codes, Part


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


def _patterns(rows, count, codes):
    found = (rows.byte(rows.at(codes.address, j, codes.row)) for j in range(count))
    return [rows.load(rows.at(codes.patterns, BYTES, code)) for code in found]


# Bits of a part, whether it is the first one, and the letter that is known now, if any: four bits take X alone, so that the rows'
# sums stay in the registers.
_PARTS = [(bits, first, 0 if bits == 4 else None) for bits in (1, 2, 3, 4) for first in (False, True)]


def _each_part(b, part, emit):
    """Call emit(bits, first, only) in a branch of its own for each kind of part."""
    for bits, is_first, only in _PARTS:
        same = b.icmp_signed("==", part.bits, ir.Constant(INT, bits))
        with b.if_then(b.and_(same, b.icmp_signed("==", part.first, ir.Constant(INT, int(is_first))))):
            emit(bits, is_first, only)


@intrinsic
def expect(context, part, source, step, codes, sums, lane_sums, wanted, kind):
    """Add to sums (bits, 3, lanes) what 2^bits rows, a step apart, add to the expectations of X, Y, Z of a part's bits.

    The first part gives the rows the last signs and factor, and takes the lanes' bits with it.
    """

    def emit(ctx, b, sig, arguments):
        part, source, step, codes, sums, lane_sums, wanted, _ = unpacked(b, sig, arguments)
        rows = Rows(b, kind)

        def emit_part(bits, first, only):
            count = 1 << bits
            state = [rows.load(rows.at(source, j, step)) for j in range(count)]
            if first:
                for j, pattern in enumerate(_patterns(rows, count, codes)):
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

        _each_part(b, part, emit_part)
        return ctx.get_dummy_value()

    return types.void(part, *[types.int64] * 2, codes, *[types.int64] * 3, kind), emit


@intrinsic
def observe(context, part, source, target, undone, step, codes, factors, lane_factors, wanted, kind):
    """Add to 2^bits rows, a step apart, the sum of X, Y, Z of a part's bits, times factors (bits, 3), applied to a state.

    The first part writes instead of adding, takes the lanes' bits with it, and writes the state without the last signs to
    `undone`; the last part takes the last signs back from the sum.
    """

    def emit(ctx, b, sig, arguments):
        part, source, target, undone, step, codes, factors, lane_factors, wanted, _ = unpacked(b, sig, arguments)
        rows = Rows(b, kind)
        is_last = b.icmp_signed("!=", part.last, ir.Constant(INT, 0))

        def emit_part(bits, first, only):
            count = 1 << bits
            state = [rows.load(rows.at(source, j, step)) for j in range(count)]
            places = [rows.at(target, j, step) for j in range(count)]
            patterns = _patterns(rows, count, codes)
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

        _each_part(b, part, emit_part)
        return ctx.get_dummy_value()

    return types.void(part, *[types.int64] * 4, codes, *[types.int64] * 3, kind), emit


@compiled
def expectations(state, layout, parts, codes, patterns, wanted, sums, kind):
    """Add the expectations of a final state (rows, lanes) to sums (n, 3, lanes), by bit and X, Y, Z, lane by lane.

    Args:
        state: final, but for the last signs and factor, which are multiplied in here.
        layout: a `structs.Layout`.
        parts: (parts, 2): first bit among the rows, bits; four bits only if X alone is wanted.
        codes: (2^row bits,) uint8: which pattern a row has.
        patterns: (patterns, lanes): the last signs and factor.
        wanted: 1, 2, 4 for X, Y, Z, or their sum.
        sums: (n, 3, lanes).
        kind: a `structs.Kind`.
    """
    at, lanes_at, codes_at, table = address_of(state), address_of(sums), address_of(codes), address_of(patterns)
    for number in range(len(parts)):
        start, bits = parts[number, 0], parts[number, 1]
        part = Part(bits, 1 if number == 0 else 0, 1 if number == len(parts) - 1 else 0)
        step = stride(start, layout.first_bits)
        here = lanes_at + (layout.lane_bits + start) * 3 * BYTES
        for rest in range(1 << (layout.row_bits - bits)):
            j, home = row_of(rest, start, bits, layout.first_bits)
            expect(part, at + home, step, Codes(codes_at + j, 1 << start, table), here, lanes_at, wanted, kind)


@compiled
def expectations_back(both, state, layout, parts, codes, signs, factors, wanted, kind):
    """Start the way back from a final state, as `expectations` left it; the other arguments are as there.

    Writes to both (2, rows, lanes) the state, and what the sum of X, Y, Z of its bits, times factors (n, 3), makes of it, each
    without the last signs (patterns, lanes).
    """
    item, lanes_at, codes_at, table = factors.itemsize, address_of(factors), address_of(codes), address_of(signs)
    at, undone, to = address_of(state), address_of(both[0]), address_of(both[1])
    for number in range(len(parts)):
        start, bits = parts[number, 0], parts[number, 1]
        part = Part(bits, 1 if number == 0 else 0, 1 if number == len(parts) - 1 else 0)
        step = stride(start, layout.first_bits)
        here = lanes_at + (layout.lane_bits + start) * 3 * item
        for rest in range(1 << (layout.row_bits - bits)):
            j, home = row_of(rest, start, bits, layout.first_bits)
            own = Codes(codes_at + j, 1 << start, table)
            observe(part, at + home, to + home, undone + home, step, own, here, lanes_at, wanted, kind)
