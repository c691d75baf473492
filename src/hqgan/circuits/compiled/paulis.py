"""Compiled: readouts of single qubits, straight from a final state: expectations of X, Y, Z, and the adjoint that they make.

A pass takes 2^m rows that differ in one part of a group's bits, as the sweeps in `kernels` do; the first part takes the bits of
the lanes too.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.compiled.jit import compiled
from hqgan.circuits.compiled.rows import BYTES, INT, Rows


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


def _letters(rows, wanted, act):
    """Call act(letter) in a branch of its own for each letter that is wanted, a set of bits."""
    b = rows.b
    for letter in (0, 1, 2) if rows.complex else (0, 2):
        with b.if_then(b.trunc(b.lshr(wanted, ir.Constant(INT, letter)), ir.IntType(1))):
            act(letter)


def _load(rows, bits, source, step, codes, code_step, patterns):
    """The rows, with the last signs and factor."""
    found = []
    for j in range(1 << bits):
        pattern = rows.load(rows.at(patterns, BYTES, rows.byte(rows.at(codes, j, code_step))))
        found.append(rows.b.fmul(rows.load(rows.at(source, j, step)), pattern))
    return found


def _make_expect(bits):
    @intrinsic
    def expect(context, source, step, codes, code_step, patterns, sums, lane_sums, wanted, kind):
        """Add to sums (bits, 3, lanes) what 2^bits rows have to do with the expectations of X, Y, Z."""

        def emit(ctx, b, sig, arguments):
            source, step, codes, code_step, patterns, sums, lane_sums, wanted, _ = arguments
            rows = Rows(b, kind)
            state = _load(rows, bits, source, step, codes, code_step, patterns)

            def add(base, place, terms, factor):
                at = b.add(base, ir.Constant(INT, place * BYTES))
                total = rows.constant([0.0] * rows.lanes)
                for x, y in terms:
                    total = rows.fma(x, y, total)
                rows.store(rows.fma(total, factor, rows.load(at)), at)

            def act(letter):
                # X and Y pair the rows, and both of a pair say the same.
                factor = rows.constant([1.0 if letter == 2 else 2.0] * rows.lanes)
                for q in range(bits):
                    terms = []
                    for j in range(1 << bits):
                        if not j >> q & 1:
                            x, y = state[j], state[j | 1 << q]
                            first, second = _on_rows(rows, letter, x, y)
                            terms += [(x, first), (y, second)] if letter == 2 else [(x, first)]
                    add(sums, 3 * q + letter, terms, factor)
                with b.if_then(b.icmp_signed("!=", lane_sums, ir.Constant(INT, 0))):
                    for q in range(rows.bits):
                        order, signs = _on_lanes(rows, letter, q)
                        add(lane_sums, 3 * q + letter, [(x, rows.shuffle(x, order)) for x in state], signs)

            _letters(rows, wanted, act)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 8, kind), emit

    return expect


expect1, expect2, expect3 = (_make_expect(bits) for bits in (1, 2, 3))


def _make_observe(bits):
    @intrinsic
    def observe(context, source, target, step, codes, code_step, patterns, signs, factors, lane_factors, wanted, kind):
        """Add to 2^bits rows the sum of X, Y, Z of the bits, times factors (bits, 3), of a state, and then its signs."""

        def emit(ctx, b, sig, arguments):
            source, target, step, codes, code_step, patterns, signs, factors, lane_factors, wanted, _ = arguments
            rows = Rows(b, kind)
            state = _load(rows, bits, source, step, codes, code_step, patterns)
            found = [cgutils.alloca_once_value(b, rows.constant([0.0] * rows.lanes)) for _ in state]

            def act(letter):
                for q in range(bits):
                    factor = rows.fill(rows.number(factors, 3 * q + letter))
                    for j in range(1 << bits):
                        if not j >> q & 1:
                            k = j | 1 << q
                            pair = _on_rows(rows, letter, state[j], state[k])
                            for place, value in zip((j, k), pair, strict=True):
                                b.store(rows.fma(factor, value, b.load(found[place])), found[place])
                with b.if_then(b.icmp_signed("!=", lane_factors, ir.Constant(INT, 0))):
                    for q in range(rows.bits):
                        order, lane_signs = _on_lanes(rows, letter, q)
                        factor = b.fmul(rows.fill(rows.number(lane_factors, 3 * q + letter)), lane_signs)
                        for x, place in zip(state, found, strict=True):
                            b.store(rows.fma(factor, rows.shuffle(x, order), b.load(place)), place)

            _letters(rows, wanted, act)
            for j, place in enumerate(found):
                at = rows.at(target, j, step)
                pattern = rows.load(rows.at(signs, BYTES, rows.byte(rows.at(codes, j, code_step))))
                rows.store(rows.fma(b.load(place), pattern, rows.load(at)), at)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 10, kind), emit

    return observe


observe1, observe2, observe3 = (_make_observe(bits) for bits in (1, 2, 3))


@compiled
def stride(start, low):
    """Bytes between rows that differ in a bit."""
    return ((1 << start) + (1 << (start - low) if start >= low else 0)) * BYTES


@compiled
def row_of(rest, start, width, low):
    """The row whose other bits are `rest`, and where it stands in bytes."""
    j = (rest & ((1 << start) - 1)) | (rest >> start) << (start + width)
    return j, (j + (j >> low)) * BYTES


@compiled
def expectations(state, where, parts, codes, patterns, wanted, sums, kind):
    """Add the expectations of a final state (rows, lanes) to sums (n, 3, lanes), by bit and X, Y, Z, lane by lane.

    Args:
        state: final, but for the last signs and factor.
        where: as in `kernels.sweep`.
        parts: (parts, 2): first bit among the rows, bits.
        codes: as in `kernels.sweep`.
        patterns: (patterns, lanes): the last signs and factor.
        wanted: 1, 2, 4 for X, Y, Z, or their sum.
        sums: (n, 3, lanes).
        kind: as in `kernels.sweep`.
    """
    lane_bits, row_bits, low = where
    at, table, sums_at = state.ctypes.data, patterns.ctypes.data, sums.ctypes.data
    for part in range(len(parts)):
        start, width = parts[part, 0], parts[part, 1]
        step, lanes_at = stride(start, low), sums_at if start == 0 else 0
        here = sums_at + (lane_bits + start) * 3 * BYTES
        for rest in range(1 << (row_bits - width)):
            j, home = row_of(rest, start, width, low)
            code = codes.ctypes.data + j
            if width == 3:
                expect3(at + home, step, code, 1 << start, table, here, lanes_at, wanted, kind)
            elif width == 2:
                expect2(at + home, step, code, 1 << start, table, here, lanes_at, wanted, kind)
            else:
                expect1(at + home, step, code, 1 << start, table, here, lanes_at, wanted, kind)


@compiled
def add_observed(target, state, where, parts, codes, patterns, signs, factors, wanted, kind):
    """Add to a state what the sum of X, Y, Z of its bits, times factors (n, 3), makes of another, up to the last signs.

    signs: (patterns, lanes): the last signs alone; everything else as in `expectations`.
    """
    lane_bits, row_bits, low = where
    item = factors.itemsize
    at, to, table, bare = state.ctypes.data, target.ctypes.data, patterns.ctypes.data, signs.ctypes.data
    for part in range(len(parts)):
        start, width = parts[part, 0], parts[part, 1]
        step, lanes_at = stride(start, low), factors.ctypes.data if start == 0 else 0
        here = factors.ctypes.data + (lane_bits + start) * 3 * item
        for rest in range(1 << (row_bits - width)):
            j, home = row_of(rest, start, width, low)
            code = codes.ctypes.data + j
            if width == 3:
                observe3(at + home, to + home, step, code, 1 << start, table, bare, here, lanes_at, wanted, kind)
            elif width == 2:
                observe2(at + home, to + home, step, code, 1 << start, table, bare, here, lanes_at, wanted, kind)
            else:
                observe1(at + home, to + home, step, code, 1 << start, table, bare, here, lanes_at, wanted, kind)
