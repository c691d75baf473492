"""Compiled loops over blocks of rows that rotate nothing: sums of products, row by row.

Addresses are in bytes and at the boundary of a row; `layout` is a `layout.Layout`, `kind` a `sweeps.Kind`, and `right` the
number of bits in the lower half. Block i of a state is the numbers whose basis index has i as its upper half.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import address_of, row_address
from hqgan.circuits.engines.numba.simd import BYTES, INT, Rows


@intrinsic
def row_add(context, target, source, factor, kind):
    """Add to a row another one times a factor: a number of the state's real type, or the row at an address."""

    def emit(ctx, b, sig, arguments):
        target, source, factor, _ = arguments
        rows = Rows(b, kind)
        factor = rows.load(factor) if isinstance(sig.args[2], types.Integer) else rows.fill(factor)
        rows.store(rows.fma(factor, rows.load(source), rows.load(target)), target)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, factor, kind), emit


def _tiles(b, first, step, count):
    return [b.add(first, b.mul(step, ir.Constant(INT, i))) for i in range(count)]


def _make_combine(high, wide, *, add):
    @intrinsic
    def combine(context, targets, target_step, terms, rows_at, row_step, factors, line_step, term_step, kind):
        """Write `high` lines of `wide` rows, or add to them: each the sum of `terms` lines, every one times a factor.

        Line i of the result is at targets + i target_step, term t at rows_at + t row_step, and its factor for that line at
        factors + i line_step + t term_step.
        """

        def emit(ctx, b, sig, arguments):
            targets, target_step, terms, rows_at, row_step, factors, line_step, term_step, _ = arguments
            rows, row = Rows(b, kind), ir.Constant(INT, BYTES)
            zero = rows.constant([0.0] * rows.lanes)
            places = [_tiles(b, at, row, wide) for at in _tiles(b, targets, target_step, high)]
            totals = [
                [cgutils.alloca_once_value(b, rows.load(place) if add else zero) for place in line] for line in places
            ]
            with cgutils.for_range(b, terms, intp=INT) as loop:
                at = b.add(rows_at, b.mul(loop.index, row_step))
                found = [rows.load(place) for place in _tiles(b, at, row, wide)]
                numbers = b.add(factors, b.mul(loop.index, term_step))
                for number, line in zip(_tiles(b, numbers, line_step, high), totals, strict=True):
                    factor = rows.fill(rows.number(number))
                    for value, total in zip(found, line, strict=True):
                        b.store(rows.fma(factor, value, b.load(total)), total)
            for line, line_totals in zip(places, totals, strict=True):
                for home, total in zip(line, line_totals, strict=True):
                    rows.store(b.load(total), home)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 8, kind), emit

    return combine


combine_few, combine_many = _make_combine(1, 1, add=False), _make_combine(4, 4, add=False)
collect_few, collect_many = _make_combine(2, 1, add=True), _make_combine(8, 2, add=True)


def _make_dots(high, wide):
    @intrinsic
    def dots(context, sums, sum_step, count, rows_at, row_step, others, other_step, kind):
        """Add to `high` times `wide` numbers the sums of products of `count` rows.

        Number (r, i), at sums + r sum_step and behind number (r, i - 1), belongs to the rows that start at rows_at + r row_step
        and at others + i other_step.
        """

        def emit(ctx, b, sig, arguments):
            sums, sum_step, count, rows_at, row_step, others, other_step, _ = arguments
            rows = Rows(b, kind)
            zero = rows.constant([0.0] * rows.lanes)
            totals = [[cgutils.alloca_once_value(b, zero) for _ in range(wide)] for _ in range(high)]
            ones, twos = _tiles(b, rows_at, row_step, high), _tiles(b, others, other_step, wide)
            with cgutils.for_range(b, count, intp=INT) as loop:
                offset = b.mul(loop.index, ir.Constant(INT, BYTES))
                found = [rows.load(b.add(two, offset)) for two in twos]
                for one, line in zip(ones, totals, strict=True):
                    row = rows.load(b.add(one, offset))
                    for other, total in zip(found, line, strict=True):
                        b.store(rows.fma(row, other, b.load(total)), total)
            found = rows.totals([b.load(total) for line in totals for total in line])
            for at in _tiles(b, sums, sum_step, high):
                for home in _tiles(b, at, ir.Constant(INT, rows.size), wide):
                    address = b.inttoptr(home, rows.scalar.as_pointer())
                    b.store(b.fadd(rows.number(home), found.pop(0)), address)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 7, kind), emit

    return dots


dots_one, dots_few, dots_many = (_make_dots(*size) for size in ((1, 1), (2, 1), (4, 4)))


@compiled
def block_address(state, i, layout, right):
    """Where in memory the rows with upper half i begin."""
    return address_of(state) + row_address(i << (right - layout.lane_bits), layout.first_bits)


@compiled
def write_products(state, upper, rows, layout, right, kind):
    """Write a state: block i is the sum of rows (2e, numbers), each times its factor number i, of upper (2e, blocks)."""
    line, blocks, item, terms = rows.shape[1] * rows.itemsize, upper.shape[1], rows.itemsize, len(rows)
    at, term = address_of(rows), blocks * item
    tile = line // BYTES % 4 == 0 and blocks % 4 == 0
    i = 0
    while i < blocks:
        to, factors = block_address(state, i, layout, right), address_of(upper) + i * item
        step = block_address(state, i + 1, layout, right) - to
        # Lines of a tile are a step apart, unless an empty row is between them.
        if tile and block_address(state, i + 3, layout, right) == to + 3 * step:
            for c in range(0, line, 4 * BYTES):
                combine_many(to + c, step, terms, at + c, line, factors, item, term, kind)
            i += 4
        else:
            for c in range(0, line, BYTES):
                combine_few(to + c, step, terms, at + c, line, factors, item, term, kind)
            i += 1


@compiled
def write_products_back(adjoint, upper, rows, by_upper, by_rows, layout, right, kind):
    """Add the gradients by what `write_products` reads, given that by the state it writes."""
    line, blocks, item, terms = rows.shape[1] * rows.itemsize, upper.shape[1], rows.itemsize, len(rows)
    count, term = line // BYTES, blocks * item
    i = 0
    while i < blocks:
        begun = block_address(adjoint, i, layout, right)
        # As many blocks as lie a step apart, see `write_products`.
        step = block_address(adjoint, i + 1, layout, right) - begun
        run = 1
        while i + run < blocks and block_address(adjoint, i + run, layout, right) == begun + run * step:
            run += 1
        many = terms % 8 == 0 and count % 2 == 0
        for c in range(0, line, 2 * BYTES if many else BYTES):
            for r in range(0, terms, 8 if many else 2):
                target, factors = address_of(by_rows) + r * line + c, address_of(upper) + r * term + i * item
                if many:
                    collect_many(target, line, run, begun + c, step, factors, term, item, kind)
                else:
                    collect_few(target, line, run, begun + c, step, factors, term, item, kind)
        many = terms % 4 == 0 and run % 4 == 0
        for j in range(0, run, 4 if many else 1):
            for r in range(0, terms, 4 if many else 2):
                sums, source = address_of(by_upper) + r * term + (i + j) * item, address_of(rows) + r * line
                if many:
                    dots_many(sums, term, count, source, line, begun + j * step, step, kind)
                else:
                    dots_few(sums, term, count, source, line, begun + j * step, step, kind)
        i += run


@compiled
def block(state, i, layout, right):
    """A state's (rows, lanes) numbers with upper half i."""
    first = row_address(i << (right - layout.lane_bits), layout.first_bits) // BYTES
    return state[first : first + (1 << (right - layout.lane_bits))].reshape(-1)


@compiled
def accumulate(target, factor, source, kind):
    """Add a factor times a vector to another."""
    to, at = address_of(target), address_of(source)
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add(to + c, at + c, factor, kind)


@compiled
def add_product(target, one, two, kind):
    """Add the product of two vectors, number by number, to another."""
    to, at, factors = address_of(target), address_of(one), address_of(two)
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add(to + c, at + c, factors + c, kind)


@compiled
def write_dot(target, one, two, kind):
    """Write the sum of products of two vectors to a vector of one number."""
    target[:] = 0
    dots_one(address_of(target), 0, len(one) * one.itemsize // BYTES, address_of(one), 0, address_of(two), 0, kind)
