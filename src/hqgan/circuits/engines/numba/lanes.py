"""Kernels for small circuits: every lane of a register belongs to another circuit, so that any gate is arithmetic on whole rows.

A block of circuits is a state (2, 2^n, lanes): the real parts, then the imaginary parts; row i holds the amplitude of basis index
i of each circuit. Real and imaginary parts are treated as independent real numbers throughout, so that a state's adjoint is
the gradient by them.

Every rotation turns pairs of rows: x' = c x - s y and y' = s x + c y, with cosine and sine of half the angle. RY turns the real
parts of |0> and |1>, and their imaginary parts; RX and RZ turn a real part with an imaginary one (`turned_rows`).
"""

from __future__ import annotations

from contextlib import contextmanager

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.simd import BYTES, INT, Rows

RY, RX, RZ, SIGNS, SWAPS = range(5)
"""Kinds of steps."""


@contextmanager
def _pairs(b, half, distance):
    """A loop over the offsets of the rows whose index lacks the bit `distance`, in bytes; yields the count and the offset."""
    one = ir.Constant(INT, 1)
    below = b.sub(distance, one)
    with cgutils.for_range(b, half, intp=INT) as loop:
        upper = b.shl(b.and_(loop.index, b.not_(below)), one)
        row = b.or_(upper, b.and_(loop.index, below))
        yield loop.index, row


def _place(b, start, row):
    return b.add(start, b.mul(row, ir.Constant(INT, BYTES)))


@intrinsic
def turn(context, x, y, distance, half, cos, sin, kind):
    """Turn the pairs of rows at x + i and y + i, for every row i of `half` whose index lacks the bit `distance`."""

    def emit(ctx, b, sig, arguments):
        x, y, distance, half, cos, sin, _ = arguments
        rows = Rows(b, kind)
        c, s = rows.load(cos), rows.load(sin)
        with _pairs(b, half, distance) as (_, row):
            one, two = _place(b, x, row), _place(b, y, row)
            p, q = rows.load(one), rows.load(two)
            rows.store(rows.fma(c, p, b.fneg(b.fmul(s, q))), one)
            rows.store(rows.fma(s, p, b.fmul(c, q)), two)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 6, kind), emit


@intrinsic
def turn_back(context, x, y, adjoint, distance, half, cos, sin, gradient, kind):
    """Undo `turn` on a state and on its adjoint, which lies `adjoint` bytes behind it; add the gradient by the half angle."""

    def emit(ctx, b, sig, arguments):
        x, y, adjoint, distance, half, cos, sin, gradient, _ = arguments
        rows = Rows(b, kind)
        c, s = rows.load(cos), rows.load(sin)
        zero = rows.constant([0.0] * rows.lanes)
        # Two sums, since each addition waits for the one before it.
        sums = [cgutils.alloca_once_value(b, zero) for _ in range(2)]
        with _pairs(b, half, distance) as (_, row):
            places = [_place(b, start, row) for start in (x, y)]
            p, q = (rows.load(place) for place in places)
            by = [b.add(place, adjoint) for place in places]
            u, v = (rows.load(place) for place in by)
            b.store(rows.fma(v, p, b.load(sums[0])), sums[0])
            b.store(rows.fma(u, q, b.load(sums[1])), sums[1])
            for (one, two), (to, other) in zip(((p, q), (u, v)), (places, by), strict=True):
                rows.store(rows.fma(c, one, b.fmul(s, two)), to)
                rows.store(rows.fma(c, two, b.fneg(b.fmul(s, one))), other)
        found = b.fsub(b.load(sums[0]), b.load(sums[1]))
        rows.store(b.fadd(rows.load(gradient), found), gradient)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 8, kind), emit


@intrinsic
def overlap(context, x, y, flip, distance, half, signs, out, kind):
    """Add to the row `out` the sum over i of sign_i times row x + i times row y + (i ^ flip)."""

    def emit(ctx, b, sig, arguments):
        x, y, flip, distance, half, signs, out, _ = arguments
        rows = Rows(b, kind)
        total = cgutils.alloca_once_value(b, rows.load(out))
        with _pairs(b, half, distance) as (index, row):
            product = b.fmul(rows.load(_place(b, x, row)), rows.load(_place(b, y, b.xor(row, flip))))
            sign = rows.fill(rows.number(b.add(signs, b.mul(index, ir.Constant(INT, rows.size)))))
            b.store(rows.fma(sign, product, b.load(total)), total)
        rows.store(b.load(total), out)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 7, kind), emit


@intrinsic
def overlap_back(context, x, y, adjoint, flip, distance, half, signs, by, kind):
    """Add the gradient of `overlap` to the adjoint, which lies `adjoint` bytes behind; `by` is the gradient by its result."""

    def emit(ctx, b, sig, arguments):
        x, y, adjoint, flip, distance, half, signs, by, _ = arguments
        rows = Rows(b, kind)
        g = rows.load(by)
        with _pairs(b, half, distance) as (index, row):
            one, two = _place(b, x, row), _place(b, y, b.xor(row, flip))
            sign = rows.fill(rows.number(b.add(signs, b.mul(index, ir.Constant(INT, rows.size)))))
            factor, p, q = b.fmul(sign, g), rows.load(one), rows.load(two)
            # One after the other: without a flip they are the same row.
            for place, value in ((one, q), (two, p)):
                place = b.add(place, adjoint)
                rows.store(rows.fma(factor, value, rows.load(place)), place)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 8, kind), emit


@intrinsic
def negate(context, row, kind):
    """Change the signs of a row."""

    def emit(ctx, b, sig, arguments):
        rows = Rows(b, kind)
        rows.store(b.fneg(rows.load(arguments[0])), arguments[0])
        return ctx.get_dummy_value()

    return types.void(types.int64, kind), emit


@intrinsic
def swap(context, one, two, kind):
    """Swap two rows."""

    def emit(ctx, b, sig, arguments):
        one, two, _ = arguments
        rows = Rows(b, kind)
        p, q = rows.load(one), rows.load(two)
        rows.store(q, one)
        rows.store(p, two)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, kind), emit


@compiled
def turned_rows(kind, distance, size):
    """The two pairs of places, in rows from the state's start, that a rotation turns: x, y, x, y."""
    if kind == RY:
        return 0, distance, size, size + distance
    if kind == RX:
        return size + distance, 0, size, distance
    return size, 0, distance, size + distance


@compiled
def _entangle(start, size, program, backward, kind, state):
    """The step `kind`, SIGNS or SWAPS, or its inverse, on both parts of a state."""
    for part in range(2):
        place = start + part * size * BYTES
        if kind == SIGNS:
            for row in program.negated:
                negate(place + row * BYTES, state)
        else:
            for number in range(len(program.swaps)):
                one, two = program.swaps[len(program.swaps) - 1 - number if backward else number]
                swap(place + one * BYTES, place + two * BYTES, state)


@compiled
def _read(start, size, program, out, state):
    """Add the readouts of a state to rows from `out` on."""
    stride = size * program.signs.itemsize
    for number in range(len(program.words)):
        flip, distance, half, odd = program.words[number]
        signs, place = program.signs.ctypes.data + number * stride, out + number * BYTES
        other = size * BYTES if odd else 0
        overlap(start, start + other, flip, distance, half, signs, place, state)
        signs += odd * len(program.words) * stride  # minus
        overlap(start + size * BYTES, start + size * BYTES - other, flip, distance, half, signs, place, state)


@compiled
def _read_back(start, adjoint, size, program, by, state):
    """Add the gradient of `_read` to a state's adjoint."""
    stride = size * program.signs.itemsize
    for number in range(len(program.words)):
        flip, distance, half, odd = program.words[number]
        signs, place = program.signs.ctypes.data + number * stride, by + number * BYTES
        other = size * BYTES if odd else 0
        overlap_back(start, start + other, adjoint, flip, distance, half, signs, place, state)
        signs += odd * len(program.words) * stride
        end = start + size * BYTES
        overlap_back(end, end - other, adjoint, flip, distance, half, signs, place, state)


@compiled
def simulate_blocks(first, last, program, cos, sin, states, out):
    """Run the blocks `first` to `last`.

    Args:
        first: number of the first block.
        last: number of the block after the last.
        program: a `small.Program`.
        cos: (blocks, A, lanes) cosines of half the angles.
        sin: their sines.
        states: (blocks, 2, 2^n, lanes), or (1, ...) to be used by all: final states, written.
        out: (blocks, M, lanes): readouts, written.
    """
    size = states.shape[2]
    for block in range(first, last):
        state = states[block if len(states) > 1 else 0]
        state[...] = 0
        state[0, 0] = 1
        start = state.ctypes.data
        for number in range(len(program.steps)):
            kind, distance, angle = program.steps[number]
            if kind >= SIGNS:
                _entangle(start, size, program, False, kind, states)
                continue
            c, s = cos[block, angle].ctypes.data, sin[block, angle].ctypes.data
            x, y, u, v = turned_rows(kind, distance, size)
            turn(start + x * BYTES, start + y * BYTES, distance, size // 2, c, s, states)
            turn(start + u * BYTES, start + v * BYTES, distance, size // 2, c, s, states)
        if len(program.words):
            out[block] = 0
            _read(start, size, program, out[block].ctypes.data, states)
        else:
            out[block] = state[0] ** 2 + state[1] ** 2


@compiled
def backward_blocks(first, last, program, cos, sin, states, by, both, gradients):
    """Add the gradients of the blocks `first` to `last`.

    Args:
        first: number of the first block.
        last: number of the block after the last.
        program: a `small.Program`.
        cos: (blocks, A, lanes) cosines of half the angles.
        sin: their sines.
        states: (blocks, 2, 2^n, lanes) final states, which are read.
        by: (blocks, M, lanes) gradient by the readouts.
        both: (2, 2, 2^n, lanes) to work in: a state and its adjoint.
        gradients: (blocks, A, lanes) by half the angles, added to.
    """
    size = states.shape[2]
    start = both.ctypes.data
    adjoint = 2 * size * BYTES
    for block in range(first, last):
        both[0] = states[block]
        if len(program.words):
            both[1] = 0
            _read_back(start, adjoint, size, program, by[block].ctypes.data, states)
        else:
            for part in range(2):
                both[1, part] = 2 * by[block] * both[0, part]
        for step in range(len(program.steps)):
            kind, distance, angle = program.steps[len(program.steps) - 1 - step]
            if kind >= SIGNS:
                _entangle(start, size, program, True, kind, states)
                _entangle(start + adjoint, size, program, True, kind, states)
                continue
            c, s = cos[block, angle].ctypes.data, sin[block, angle].ctypes.data
            g = gradients[block, angle].ctypes.data
            x, y, u, v = turned_rows(kind, distance, size)
            for one, two in ((x, y), (u, v)):
                turn_back(start + one * BYTES, start + two * BYTES, adjoint, distance, size // 2, c, s, g, states)
