"""Compiled loops over blocks of rows that rotate nothing: sums of products, row by row.

Addresses are in bytes and at the boundary of a row; `layout` is a `structs.Layout`, `kind` a `structs.Kind`, and `right` the
number of bits in the lower half. Block i of a state is the numbers whose basis index has i as its upper half.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import row_address
from hqgan.circuits.engines.numba.simd import BYTES, INT, Rows, element


def _real(kind):
    found = element(kind)
    return found.underlying_float if isinstance(found, types.Complex) else found


@intrinsic
def row_add(context, target, source, factor, kind):
    """Add a factor times a row to a row."""

    def emit(ctx, b, sig, arguments):
        target, source, factor, _ = arguments
        rows = Rows(b, kind)
        rows.store(rows.fma(rows.fill(factor), rows.load(source), rows.load(target)), target)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, _real(kind), kind), emit


@intrinsic
def row_add_product(context, target, one, two, kind):
    """Add the product of two rows to a row."""

    def emit(ctx, b, sig, arguments):
        target, one, two, _ = arguments
        rows = Rows(b, kind)
        rows.store(rows.fma(rows.load(one), rows.load(two), rows.load(target)), target)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 3, kind), emit


@intrinsic
def row_multiply(context, target, source, kind):
    """Multiply a row by a row."""

    def emit(ctx, b, sig, arguments):
        target, source, _ = arguments
        rows = Rows(b, kind)
        rows.store(b.fmul(rows.load(source), rows.load(target)), target)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 2, kind), emit


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


dots_few, dots_many = _make_dots(2, 1), _make_dots(4, 4)


@intrinsic
def rows_dot(context, count, one, two, kind):
    """The sum of products of `count` rows and as many others."""

    def emit(ctx, b, sig, arguments):
        count, one, two, _ = arguments
        rows = Rows(b, kind)
        total = cgutils.alloca_once_value(b, rows.constant([0.0] * rows.lanes))
        with cgutils.for_range(b, count, intp=INT) as loop:
            offset = b.mul(loop.index, ir.Constant(INT, BYTES))
            x, y = rows.load(b.add(one, offset)), rows.load(b.add(two, offset))
            b.store(rows.fma(x, y, b.load(total)), total)
        return rows.totals([b.load(total)])[0]

    return _real(kind)(*[types.int64] * 3, kind), emit


@compiled
def block(i, layout, right):
    """Where in a state, in bytes, the rows with upper half i begin."""
    return row_address(i << (right - layout.lane_bits), layout.first_bits)


@compiled
def write_products(state, upper, rows, layout, right, kind):
    """Write a state: block i is the sum of rows (2e, numbers), each times its factor number i, of upper (2e, blocks)."""
    count, blocks, item = rows.shape[1] * rows.itemsize // BYTES, upper.shape[1], rows.itemsize
    at, factors, terms = rows.ctypes.data, upper.ctypes.data, len(rows)
    tile = count % 4 == 0 and blocks % 4 == 0
    i = 0
    while i < blocks:
        to = state.ctypes.data + block(i, layout, right)
        step = state.ctypes.data + block(i + 1, layout, right) - to
        # Lines of a tile are a step apart, unless an empty row is between them.
        if tile and state.ctypes.data + block(i + 3, layout, right) == to + 3 * step:
            for c in range(0, count, 4):
                combine_many(
                    to + c * BYTES,
                    step,
                    terms,
                    at + c * BYTES,
                    count * BYTES,
                    factors + i * item,
                    item,
                    blocks * item,
                    kind,
                )
            i += 4
        else:
            for c in range(count):
                combine_few(
                    to + c * BYTES,
                    step,
                    terms,
                    at + c * BYTES,
                    count * BYTES,
                    factors + i * item,
                    item,
                    blocks * item,
                    kind,
                )
            i += 1


@compiled
def write_products_back(adjoint, upper, rows, by_upper, by_rows, layout, right, kind):
    """Add the gradients by what `write_products` reads, given that by the state it writes."""
    count, blocks, item = rows.shape[1] * rows.itemsize // BYTES, upper.shape[1], rows.itemsize
    at, to, factors, by_factors = rows.ctypes.data, by_rows.ctypes.data, upper.ctypes.data, by_upper.ctypes.data
    terms = len(rows)
    i = 0
    while i < blocks:
        begun = adjoint.ctypes.data + block(i, layout, right)
        # As many blocks as lie a step apart, see `write_products`.
        step = adjoint.ctypes.data + block(i + 1, layout, right) - begun
        run = 1
        while i + run < blocks and adjoint.ctypes.data + block(i + run, layout, right) == begun + run * step:
            run += 1
        many = terms % 8 == 0 and count % 2 == 0
        for c in range(0, count, 2 if many else 1):
            for r in range(0, terms, 8 if many else 2):
                target, number = to + (r * count + c) * BYTES, factors + (r * blocks + i) * item
                if many:
                    collect_many(target, count * BYTES, run, begun + c * BYTES, step, number, blocks * item, item, kind)
                else:
                    collect_few(target, count * BYTES, run, begun + c * BYTES, step, number, blocks * item, item, kind)
        many = terms % 4 == 0 and run % 4 == 0
        for j in range(0, run, 4 if many else 1):
            for r in range(0, terms, 4 if many else 2):
                number, source = by_factors + (r * blocks + i + j) * item, at + r * count * BYTES
                if many:
                    dots_many(number, blocks * item, count, source, count * BYTES, begun + j * step, step, kind)
                else:
                    dots_few(number, blocks * item, count, source, count * BYTES, begun + j * step, step, kind)
        i += run


@compiled
def accumulate(target, factor, source, kind):
    """Add a factor times a vector to another."""
    to, at = target.ctypes.data, source.ctypes.data
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add(to + c, at + c, factor, kind)


@compiled
def dot(one, two, kind):
    """The sum of products of two vectors."""
    return rows_dot(len(one) * one.itemsize // BYTES, one.ctypes.data, two.ctypes.data, kind)


@compiled
def write_product(target, one, two, kind):
    """Write the product of two vectors, number by number."""
    target[:] = 0
    add_product_to(target, one, two, kind)


@compiled
def add_product_to(target, one, two, kind):
    """Add it to a vector."""
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add_product(target.ctypes.data + c, one.ctypes.data + c, two.ctypes.data + c, kind)


@compiled
def add_squares(target, state, i, layout, right, kind):
    """Add the squares of a block of a state to a vector."""
    to, at = target.ctypes.data, state.ctypes.data + block(i, layout, right)
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add_product(to + c, at + c, at + c, kind)


@compiled
def multiply(state, i, diagonal, layout, right, kind):
    """Multiply a block of a state by a vector."""
    to, at = state.ctypes.data + block(i, layout, right), diagonal.ctypes.data
    for c in range(0, len(diagonal) * diagonal.itemsize, BYTES):
        row_multiply(to + c, at + c, kind)


@compiled
def add_product(target, source, i, diagonal, layout, right, kind):
    """Add a block of a state times a vector to another state's."""
    home, at = block(i, layout, right), diagonal.ctypes.data
    for c in range(0, len(diagonal) * diagonal.itemsize, BYTES):
        row_add_product(target.ctypes.data + home + c, source.ctypes.data + home + c, at + c, kind)


@compiled
def add_signed(target, source, layout, codes, patterns, kind):
    """Add a state (rows, lanes) times the pattern of each row to another one."""
    for j in range(len(codes)):
        home = row_address(j, layout.first_bits)
        pattern = patterns.ctypes.data + codes[j] * BYTES
        row_add_product(target.ctypes.data + home, source.ctypes.data + home, pattern, kind)
