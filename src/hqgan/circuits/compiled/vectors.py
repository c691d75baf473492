"""Compiled loops over blocks of rows that rotate nothing: sums of products, with rows as in `kernels`.

Addresses are in bytes and at the boundary of a row; `kind` is as in `kernels.sweep`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.compiled.jit import compiled
from hqgan.circuits.compiled.rows import BYTES, INT, Rows, element


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


@intrinsic
def row_combine(context, target, terms, rows_at, row_step, factors, factor_step, kind):
    """Write the sum of `terms` rows, each times its factor."""

    def emit(ctx, b, sig, arguments):
        target, terms, rows_at, row_step, factors, factor_step, _ = arguments
        rows = Rows(b, kind)
        total = cgutils.alloca_once_value(b, rows.constant([0.0] * rows.lanes))
        with cgutils.for_range(b, terms, intp=INT) as loop:
            factor = rows.number(b.add(factors, b.mul(loop.index, factor_step)))
            row = rows.load(b.add(rows_at, b.mul(loop.index, row_step)))
            b.store(rows.fma(rows.fill(factor), row, b.load(total)), total)
        rows.store(b.load(total), target)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 6, kind), emit


@intrinsic
def rows_dot(context, count, one, two, target, factor, kind):
    """The sum of products of `count` rows and as many others; adds the factor times the first ones to a target, if given."""

    def emit(ctx, b, sig, arguments):
        count, one, two, target, factor, _ = arguments
        rows = Rows(b, kind)
        total = cgutils.alloca_once_value(b, rows.constant([0.0] * rows.lanes))
        filled = rows.fill(factor)
        with cgutils.for_range(b, count, intp=INT) as loop:
            offset = b.mul(loop.index, ir.Constant(INT, BYTES))
            x = rows.load(b.add(one, offset))
            b.store(rows.fma(x, rows.load(b.add(two, offset)), b.load(total)), total)
            with b.if_then(b.icmp_signed("!=", target, ir.Constant(INT, 0))):
                at = b.add(target, offset)
                rows.store(rows.fma(filled, x, rows.load(at)), at)
        value = b.load(total)
        found = rows.scalar(0.0)
        for lane in range(rows.lanes):
            found = b.fadd(found, b.extract_element(value, ir.Constant(ir.IntType(32), lane)))
        return found

    return _real(kind)(*[types.int64] * 4, _real(kind), kind), emit


@compiled
def place(i, where, right):
    """Where in a state, in bytes, the rows with upper half i begin."""
    row = i << (right - where[0])
    return (row + (row >> where[2])) * BYTES


@compiled
def begin(state, upper, rows, where, right, kind):
    """Write a state: block i is the sum of rows (2e, numbers), each times its factor number i, of upper (2e, blocks)."""
    count, item = rows.shape[1] * rows.itemsize // BYTES, rows.itemsize
    for i in range(upper.shape[1]):
        to, factors = state.ctypes.data + place(i, where, right), upper.ctypes.data + i * item
        for c in range(count):
            row_combine(
                to + c * BYTES,
                len(rows),
                rows.ctypes.data + c * BYTES,
                count * BYTES,
                factors,
                upper.shape[1] * item,
                kind,
            )


@compiled
def begin_back(adjoint, upper, rows, by_upper, by_rows, where, right, kind):
    """Add what `begin` passes back."""
    count = rows.shape[1] * rows.itemsize // BYTES
    for i in range(upper.shape[1]):
        at = adjoint.ctypes.data + place(i, where, right)
        for r in range(len(rows)):
            offset = r * count * BYTES
            by_upper[r, i] += rows_dot(
                count, at, rows.ctypes.data + offset, by_rows.ctypes.data + offset, upper[r, i], kind
            )


@compiled
def accumulate(target, factor, source, kind):
    """Add a factor times a vector to another."""
    to, at = target.ctypes.data, source.ctypes.data
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add(to + c, at + c, factor, kind)


@compiled
def dot(one, two, kind):
    """The sum of products of two vectors."""
    return rows_dot(len(one) * one.itemsize // BYTES, one.ctypes.data, two.ctypes.data, 0, one.dtype.type(0), kind)


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
def add_squares(target, state, i, where, right, kind):
    """Add the squares of a block of a state to a vector."""
    to, at = target.ctypes.data, state.ctypes.data + place(i, where, right)
    for c in range(0, len(target) * target.itemsize, BYTES):
        row_add_product(to + c, at + c, at + c, kind)


@compiled
def multiply(state, i, diagonal, where, right, kind):
    """Multiply a block of a state by a vector."""
    to, at = state.ctypes.data + place(i, where, right), diagonal.ctypes.data
    for c in range(0, len(diagonal) * diagonal.itemsize, BYTES):
        row_multiply(to + c, at + c, kind)


@compiled
def add_product(target, source, i, diagonal, where, right, kind):
    """Add a block of a state times a vector to another state's."""
    home, at = place(i, where, right), diagonal.ctypes.data
    for c in range(0, len(diagonal) * diagonal.itemsize, BYTES):
        row_add_product(target.ctypes.data + home + c, source.ctypes.data + home + c, at + c, kind)


@compiled
def add_signed(target, source, where, codes, patterns, kind):
    """Add a state (rows, lanes) times the pattern of each row to another one."""
    for j in range(len(codes)):
        home = (j + (j >> where[2])) * BYTES
        pattern = patterns.ctypes.data + codes[j] * BYTES
        row_add_product(target.ctypes.data + home, source.ctypes.data + home, pattern, kind)
