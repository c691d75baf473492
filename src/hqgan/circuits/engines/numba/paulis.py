"""Compiled: readouts of single qubits, straight from a final state: expectations of X, Y, Z, and the adjoint that they make.

A pass takes 2^m rows that differ in one part of a group's bits, as `sweeps` do; the first part takes the bits of the lanes too.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.kernels import pairs
from hqgan.circuits.engines.numba.layout import address_of, row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES, INT, PAULIS, Rows, unpacked


class Part(NamedTuple):
    """Neighbouring bits whose single-qubit readouts are taken in one pass over a state."""

    bits: int
    first: int  # whether it is the first part, which takes the lanes' bits with it
    last: int


class Codes(NamedTuple):
    """Which patterns some rows have; addresses and distances in bytes."""

    address: int  # of the first row's code
    row: int  # from one row's code to the next
    patterns: int  # address of the table of patterns


def _each_letter(rows, only, wanted):
    """The letter that is known now; or each that is wanted, a set of bits, in a branch of its own."""
    if only is not None:
        yield only
        return
    b = rows.b
    for letter in (0, 1, 2) if rows.complex else (0, 2):
        with b.if_then(b.trunc(b.lshr(wanted, ir.Constant(INT, letter)), ir.IntType(1))):
            yield letter


def _patterns(rows, count, codes):
    found = (rows.byte(rows.at(codes.address, j, codes.row)) for j in range(count))
    return [rows.load(rows.at(codes.patterns, BYTES, code)) for code in found]


def _each_part(b, part):
    """The kinds of parts, each in a branch of its own: bits, whether it is the first, and the letter that is known now, if any.

    Four bits take X alone, so that the rows' sums stay in the registers.
    """
    for bits, first in product((1, 2, 3, 4), (False, True)):
        same = b.icmp_signed("==", part.bits, ir.Constant(INT, bits))
        with b.if_then(b.and_(same, b.icmp_signed("==", part.first, ir.Constant(INT, int(first))))):
            yield bits, first, 0 if bits == 4 else None


@intrinsic
def expect(context, part, source, step, codes, sums, lane_sums, wanted, kind):
    """Add to sums (bits, 3, lanes) what 2^bits rows, a step apart, add to the expectations of X, Y, Z of a part's bits.

    The first part gives the rows the last signs and factor, and takes the lanes' bits with it.
    """

    def emit(ctx, b, sig, arguments):
        part, source, step, codes, sums, lane_sums, wanted, _ = unpacked(b, sig, arguments)
        rows = Rows(b, kind)
        for bits, first, only in _each_part(b, part):
            state = [rows.load(rows.at(source, j, step)) for j in range(1 << bits)]
            if first:
                for j, pattern in enumerate(_patterns(rows, len(state), codes)):
                    state[j] = b.fmul(state[j], pattern)
                    rows.store(state[j], rows.at(source, j, step))
            for letter in _each_letter(rows, only, wanted):
                # X and Y pair the rows, and both of a pair say the same.
                factor = rows.constant([1.0 if letter == 2 else 2.0] * rows.lanes)
                for q in range(bits):
                    terms = []
                    for x, y in pairs(state, q):
                        one, two = rows.on_rows(PAULIS[letter], x, y)
                        terms += [(x, one), (y, two)] if letter == 2 else [(x, one)]
                    rows.add_products(b.add(sums, ir.Constant(INT, (3 * q + letter) * BYTES)), terms, factor)
                for q in range(rows.bits if first else 0):
                    order, signs = rows.on_lanes(PAULIS[letter], q)
                    terms = [(x, rows.shuffle(x, order)) for x in state]
                    rows.add_products(b.add(lane_sums, ir.Constant(INT, (3 * q + letter) * BYTES)), terms, signs)
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
        is_last = rows.nonzero(part.last)
        zero, one = (rows.constant([number] * rows.lanes) for number in (0.0, 1.0))
        for bits, first, only in _each_part(b, part):
            count = 1 << bits
            state = [rows.load(rows.at(source, j, step)) for j in range(count)]
            places = [rows.at(target, j, step) for j in range(count)]
            patterns = _patterns(rows, count, codes)
            if first:
                for j, (row, pattern) in enumerate(zip(state, patterns, strict=True)):
                    rows.store(b.fmul(row, pattern), rows.at(undone, j, step))
            sums = [cgutils.alloca_once_value(b, zero if first else rows.load(place)) for place in places]
            for letter in _each_letter(rows, only, wanted):
                for q in range(bits):
                    factor = rows.fill(rows.number(factors, 3 * q + letter))
                    for xs, slots in zip(pairs(state, q), pairs(sums, q), strict=True):
                        for slot, value in zip(slots, rows.on_rows(PAULIS[letter], *xs), strict=True):
                            b.store(rows.fma(factor, value, b.load(slot)), slot)
                for q in range(rows.bits if first else 0):
                    order, lane_signs = rows.on_lanes(PAULIS[letter], q)
                    factor = b.fmul(rows.fill(rows.number(lane_factors, 3 * q + letter)), lane_signs)
                    for x, slot in zip(state, sums, strict=True):
                        b.store(rows.fma(factor, rows.shuffle(x, order), b.load(slot)), slot)
            for place, pattern, total in zip(places, patterns, sums, strict=True):
                rows.store(b.fmul(b.load(total), b.select(is_last, pattern, one)), place)
        return ctx.get_dummy_value()

    return types.void(part, *[types.int64] * 4, codes, *[types.int64] * 3, kind), emit


@compiled
def expectations(state, circuit, patterns, sums):
    """Add the expectations of a final state (rows, lanes) to sums (n, 3, lanes), by bit and X, Y, Z, lane by lane.

    Args:
        state: final, but for the last signs and factor, which are multiplied in here.
        circuit: a `tables.Circuit`.
        patterns: (patterns, lanes): the last signs and factor.
        sums: (n, 3, lanes).
    """
    parts, layout = circuit.parts, circuit.layout
    at, lanes_at, codes_at, table = address_of(state), address_of(sums), address_of(circuit.codes), address_of(patterns)
    for number in range(len(parts)):
        start, part = part_of(parts, number)
        step = stride(start, layout.first_bits)
        here = lanes_at + (layout.lane_bits + start) * 3 * BYTES
        for rest in range(1 << (layout.row_bits - part.bits)):
            j, home = row_of(rest, start, part.bits, layout.first_bits)
            codes = Codes(codes_at + j, 1 << start, table)
            expect(part, at + home, step, codes, here, lanes_at, circuit.wanted, circuit.kind)


@compiled
def expectations_back(both, state, circuit, factors):
    """Start the way back from a final state, as `expectations` left it.

    Writes to both (2, rows, lanes) the state, and what the sum of X, Y, Z of its bits, times factors (n, 3), makes of it, each
    without the last signs.
    """
    parts, layout, wanted = circuit.parts, circuit.layout, circuit.wanted
    lanes_at, codes_at, table = address_of(factors), address_of(circuit.codes), address_of(circuit.patterns)
    at, undone, to = address_of(state), address_of(both[0]), address_of(both[1])
    for number in range(len(parts)):
        start, part = part_of(parts, number)
        step = stride(start, layout.first_bits)
        here = lanes_at + (layout.lane_bits + start) * 3 * factors.itemsize
        for rest in range(1 << (layout.row_bits - part.bits)):
            j, home = row_of(rest, start, part.bits, layout.first_bits)
            codes = Codes(codes_at + j, 1 << start, table)
            observe(part, at + home, to + home, undone + home, step, codes, here, lanes_at, wanted, circuit.kind)


@compiled
def part_of(parts, number):
    """The first bit of a part among the rows, and the part."""
    return parts[number, 0], Part(parts[number, 1], 1 if number == 0 else 0, 1 if number == len(parts) - 1 else 0)
