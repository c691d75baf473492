"""The compiled loops behind `statevector` on a CPU: gates of up to four qubits at a time, held in vector registers.

A state is rows of one vector register each (64 bytes): a row is a basis state, its lanes are samples, the real parts first
and the imaginary ones behind them. So every gate is the same arithmetic on whole rows, whatever its qubit, and any number of
qubits works. A sweep takes 2^m rows that differ in one group of up to eight qubits, applies what these can take, one layer or
two with the CZ between, and writes them back: the rest of the state stays where it is.

A rotation is scaled so that one fused multiply-add a row is enough: cos (1, tan) or, past a quarter turn, sin (cot, 1). The
factors of a layer are multiplied in with the signs of the CZs that follow it.
"""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

INT = ir.IntType(64)
BYTES = 64
"""Of a row."""


class _Rows:
    """Emits arithmetic on rows of one element type."""

    def __init__(self, builder, element):
        self.b = builder
        self.scalar, self.size = (ir.DoubleType(), 8) if element == types.float64 else (ir.FloatType(), 4)
        self.lanes = BYTES // self.size
        self.row = ir.VectorType(self.scalar, self.lanes)

    def at(self, address, count, stride):
        """The address of a place; count is a number known now."""
        return self.b.add(address, self.b.mul(stride, ir.Constant(INT, count)))

    def load(self, address):
        value = self.b.load(self.b.inttoptr(address, self.row.as_pointer()))
        value.align = BYTES
        return value

    def store(self, value, address):
        self.b.store(value, self.b.inttoptr(address, self.row.as_pointer())).align = BYTES

    def number(self, address, place=0):
        return self.b.load(
            self.b.inttoptr(self.b.add(address, ir.Constant(INT, place * self.size)), self.scalar.as_pointer())
        )

    def fill(self, value):
        lane = ir.Constant(ir.IntType(32), 0)
        undefined = ir.Constant(self.row, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(self.b.insert_element(undefined, value, lane), undefined, zeros)

    def constant(self, values):
        return ir.Constant(self.row, values)

    def shuffle(self, value, order):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), order)
        return self.b.shuffle_vector(value, ir.Constant(self.row, ir.Undefined), mask)

    def fma(self, x, y, z):
        kind = ir.FunctionType(self.row, [self.row] * 3)
        name = f"llvm.fma.v{self.lanes}f{8 * self.size}"
        return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), [x, y, z])

    def swap(self, value):
        """Real and imaginary parts exchanged."""
        half = self.lanes // 2
        return self.shuffle(value, [*range(half, self.lanes), *range(half)])

    def minus_i(self, value):
        """-i times the value: (re, im) to (im, -re)."""
        half = self.lanes // 2
        return self.b.fmul(self.swap(value), self.constant([1.0] * half + [-1.0] * half))

    def product(self, x, y, complex_, sign):
        """The product of x and y, or with sign -1 of the conjugate of x and y."""
        half, slot = self.lanes // 2, cgutils.alloca_once(self.b, self.row)
        with self.b.if_else(self.b.icmp_signed("!=", complex_, ir.Constant(INT, 0))) as (then, otherwise):
            with then:
                real, imaginary = self.shuffle(x, [*range(half)] * 2), self.shuffle(x, [*range(half, self.lanes)] * 2)
                turned = self.b.fmul(self.swap(y), self.constant([-1.0 * sign] * half + [1.0 * sign] * half))
                self.b.store(self.fma(real, y, self.b.fmul(imaginary, turned)), slot)
            with otherwise:
                self.b.store(self.b.fmul(x, y), slot)
        return self.b.load(slot)

    def partners(self, gate, a, b):
        """What a rotation about y, x, z (0, 1, 2) adds to the rows of |0> and |1>, times its tangent."""
        if gate == 0:
            return self.b.fneg(b), a
        if gate == 1:
            return self.minus_i(b), self.minus_i(a)
        return self.minus_i(a), self.b.fneg(self.minus_i(b))


def _rotation(rows, slots, q, gate, big, t):
    """Rotate pairs of rows that differ in bit q: a + t Ga, or t a + Ga."""
    b, tangent = rows.b, rows.fill(t)
    for j in range(len(slots)):
        if j >> q & 1:
            continue
        one, two = slots[j], slots[j | 1 << q]
        x, y = b.load(one), b.load(two)
        gx, gy = rows.partners(gate, x, y)
        if big:
            b.store(rows.fma(tangent, x, gx), one)
            b.store(rows.fma(tangent, y, gy), two)
        else:
            b.store(rows.fma(tangent, gx, x), one)
            b.store(rows.fma(tangent, gy, y), two)


def _slots(rows, count):
    return [cgutils.alloca_once(rows.b, rows.row) for _ in range(count)]


def _scaled(rows, slots, signs, stride, scale):
    """Multiply the rows by signs and scale, where there are signs."""
    b = rows.b
    with b.if_then(b.icmp_signed("!=", signs, ir.Constant(INT, 0))):
        for j, slot in enumerate(slots):
            factor = b.fmul(rows.number(rows.at(signs, j, stride)), scale)
            b.store(b.fmul(b.load(slot), rows.fill(factor)), slot)


def _each_gate(rows, bits, gates, each, act, *, back=False):
    """Call act(q, gate, big, t, place) in a branch of its own for each rotation of `bits` qubits; back: inverse, last first."""
    b = rows.b
    for q in range(bits):
        with cgutils.for_range(b, each, intp=INT) as loop:
            r = b.sub(b.sub(each, ir.Constant(INT, 1)), loop.index) if back else loop.index
            place = b.add(b.mul(each, ir.Constant(INT, q)), r)
            at = rows.at(gates, 2 * rows.size, place)
            t, code = rows.number(at), b.fptosi(rows.number(at, 1), INT)
            t = b.fneg(t) if back else t
            for gate in range(3):
                for big in (0, 1):
                    with b.if_then(b.icmp_signed("==", code, ir.Constant(INT, 2 * gate + big))):
                        act(q, gate, big, t, place)


def _make_turn(bits):
    @intrinsic
    def turn(context, source, source_step, target, target_step, gates, each, signs, sign_step, scale):
        """Signs and scale, then the rotations of `bits` qubits, `each` a qubit, on 2^bits rows."""
        signature = types.void(*[types.int64] * 8, scale)

        def emit(ctx, b, sig, arguments):
            source, source_step, target, target_step, gates, each, signs, sign_step, scale_ = arguments
            rows = _Rows(b, scale)
            slots = _slots(rows, 1 << bits)
            for j, slot in enumerate(slots):
                b.store(rows.load(rows.at(source, j, source_step)), slot)
            _scaled(rows, slots, signs, sign_step, scale_)

            def act(q, gate, big, t, place):
                _rotation(rows, slots, q, gate, big, t)

            _each_gate(rows, bits, gates, each, act)
            for j, slot in enumerate(slots):
                rows.store(b.load(slot), rows.at(target, j, target_step))
            return ctx.get_dummy_value()

        return signature, emit

    return turn


turn1, turn2, turn3, turn4 = (_make_turn(bits) for bits in (1, 2, 3, 4))


def _make_undo(bits):
    @intrinsic
    def undo(
        context,
        source,
        source_step,
        source_gap,
        target,
        target_step,
        target_gap,
        gates,
        each,
        sums,
        signs,
        sign_step,
        scale,
    ):
        """Undo what `turn` did on states and on their adjoints, a gap of bytes away, and add up each gate's gradient."""
        signature = types.void(*[types.int64] * 11, scale)

        def emit(ctx, b, sig, arguments):
            source, source_step, source_gap, target, target_step, target_gap, *others = arguments
            gates, each, sums, signs, sign_step, scale_ = others
            rows = _Rows(b, scale)
            state, other = _slots(rows, 1 << bits), _slots(rows, 1 << bits)
            for j in range(1 << bits):
                at = rows.at(source, j, source_step)
                b.store(rows.load(at), state[j])
                b.store(rows.load(b.add(at, source_gap)), other[j])

            def gradient(q, gate, at):
                total = [rows.load(at), rows.constant([0.0] * rows.lanes)]
                for j in range(1 << bits):
                    if not j >> q & 1:
                        k = j | 1 << q
                        gx, gy = rows.partners(gate, b.load(state[j]), b.load(state[k]))
                        total[0] = rows.fma(b.load(other[j]), gx, total[0])
                        total[1] = rows.fma(b.load(other[k]), gy, total[1])
                rows.store(b.fadd(*total), at)

            def act(q, gate, big, t, place):
                gradient(q, gate, rows.at(sums, BYTES, place))
                _rotation(rows, state, q, gate, big, t)
                _rotation(rows, other, q, gate, big, t)

            _each_gate(rows, bits, gates, each, act, back=True)
            _scaled(rows, state, signs, sign_step, scale_)
            _scaled(rows, other, signs, sign_step, scale_)
            for j in range(1 << bits):
                at = rows.at(target, j, target_step)
                rows.store(b.load(state[j]), at)
                rows.store(b.load(other[j]), b.add(at, target_gap))
            return ctx.get_dummy_value()

        return signature, emit

    return undo


undo1, undo2, undo3 = (_make_undo(bits) for bits in (1, 2, 3))


@intrinsic
def multiply(context, target, one, two, lanes_are_complex, scale):
    """One row is the product of two."""

    def emit(ctx, b, sig, arguments):
        target, one, two, complex_, _ = arguments
        rows = _Rows(b, scale)
        rows.store(rows.product(rows.load(one), rows.load(two), complex_, 1), target)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 4, scale), emit


@intrinsic
def multiply_back(context, total, adjoint, factor, lanes_are_complex, scale):
    """Add to a row what `multiply` passes back to one factor: the adjoint times the other one's conjugate."""

    def emit(ctx, b, sig, arguments):
        total, adjoint, factor, complex_, _ = arguments
        rows = _Rows(b, scale)
        passed = rows.product(rows.load(factor), rows.load(adjoint), complex_, -1)
        rows.store(b.fadd(rows.load(total), passed), total)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 4, scale), emit


@njit(nogil=True, cache=True)
def _turns(bits, bit, count, source, source_step, target, target_step, gates, each, signs, sign_step, scale):
    """`turn` on qubits `bit` to `bit + bits` of a group for each of `count` settings of the group's other qubits."""
    low = (1 << bit) - 1
    for rest in range(count):
        j = (rest & low) | (rest >> bit) << (bit + bits)
        one, two = source + j * source_step, target + j * target_step
        sign = signs + j * sign_step if signs else 0
        a, b, c = source_step << bit, target_step << bit, sign_step << bit
        if bits == 4:
            turn4(one, a, two, b, gates, each, sign, c, scale)
        elif bits == 3:
            turn3(one, a, two, b, gates, each, sign, c, scale)
        elif bits == 2:
            turn2(one, a, two, b, gates, each, sign, c, scale)
        else:
            turn1(one, a, two, b, gates, each, sign, c, scale)


@njit(nogil=True, cache=True)
def _undos(
    bits,
    bit,
    count,
    source,
    source_step,
    source_gap,
    target,
    target_step,
    target_gap,
    gates,
    each,
    sums,
    signs,
    sign_step,
    scale,
):
    low = (1 << bit) - 1
    for rest in range(count):
        j = (rest & low) | (rest >> bit) << (bit + bits)
        one, two = source + j * source_step, target + j * target_step
        sign = signs + j * sign_step if signs else 0
        a, b, c = source_step << bit, target_step << bit, sign_step << bit
        if bits == 3:
            undo3(one, a, source_gap, two, b, target_gap, gates, each, sums, sign, c, scale)
        elif bits == 2:
            undo2(one, a, source_gap, two, b, target_gap, gates, each, sums, sign, c, scale)
        else:
            undo1(one, a, source_gap, two, b, target_gap, gates, each, sums, sign, c, scale)


@njit(nogil=True, cache=True)
def sweep(source, state, buffer, low, n, start, size, first, count, signed, gates, signs, scales):
    """Rotations of layers `first` to `first + count` on the bits from `start` to `start + size`.

    Basis state i stands in row i + (i >> low): rows that differ in a high bit alone would else fall on one line of the cache.

    Args:
        source: (rows, lanes).
        state: (rows, lanes), where the result goes; may be the source.
        buffer: (256, lanes), to work in.
        low: bits of the first group.
        n: bits of the state.
        start: first bit of the group.
        size: bits of the group, at most 8.
        first: layer.
        count: layers; each but the first comes after the signs.
        signed: whether the first layer comes after the signs too.
        gates: (L, n, R, 2): tangent and code of each rotation, by bit.
        signs: (2^n,) of the entangler.
        scales: (L,) factors multiplied in with the signs before a layer.
    """
    item = state.itemsize
    begun, at, room = source.ctypes.data, state.ctypes.data, buffer.ctypes.data
    table, signs_at = gates.ctypes.data, signs.ctypes.data
    each = gates.shape[2]
    step = 1 if start == 0 else (1 << start) + (1 << (start - low))
    parts = (size + 3) // 4
    for outer in range(1 << (n - size)):
        base = (outer & ((1 << start) - 1)) | (outer >> start) << (start + size)
        home = (base + (base >> low)) * BYTES
        for layer in range(first, first + count):
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                here = table + ((layer * n + start + bit) * each) * 2 * item
                opening, closing = layer == first and part == 0, layer == first + count - 1 and part == parts - 1
                with_signs = part == 0 and (signed or layer > first)
                one, one_step = (begun + home, step * BYTES) if opening else (room, BYTES)
                two, two_step = (at + home, step * BYTES) if closing else (room, BYTES)
                _turns(
                    width,
                    bit,
                    1 << (size - width),
                    one,
                    one_step,
                    two,
                    two_step,
                    here,
                    each,
                    signs_at + base * item if with_signs else 0,
                    item << start,
                    scales[layer],
                )
                bit += width


@njit(nogil=True, cache=True)
def sweep_back(both, buffer, low, n, start, size, first, count, signed, gates, signs, scales, sums):
    """Undo `sweep` on a state and its adjoint, both (2, rows, lanes), and add gradients up in sums (L, n, R, lanes)."""
    item = both.itemsize
    at, room, table, signs_at, sums_at = (
        both.ctypes.data,
        buffer.ctypes.data,
        gates.ctypes.data,
        signs.ctypes.data,
        sums.ctypes.data,
    )
    gap, room_gap = both.shape[1] * BYTES, buffer.shape[1] * BYTES
    each = gates.shape[2]
    step = 1 if start == 0 else (1 << start) + (1 << (start - low))
    parts = (size + 2) // 3
    for outer in range(1 << (n - size)):
        base = (outer & ((1 << start) - 1)) | (outer >> start) << (start + size)
        home = at + (base + (base >> low)) * BYTES
        for layer in range(first + count - 1, first - 1, -1):
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                here = (layer * n + start + bit) * each
                opening, closing = layer == first + count - 1 and part == 0, layer == first and part == parts - 1
                with_signs = part == parts - 1 and (signed or layer > first)
                source, source_step, source_gap = (home, step * BYTES, gap) if opening else (room, BYTES, room_gap)
                target, target_step, target_gap = (home, step * BYTES, gap) if closing else (room, BYTES, room_gap)
                _undos(
                    width,
                    bit,
                    1 << (size - width),
                    source,
                    source_step,
                    source_gap,
                    target,
                    target_step,
                    target_gap,
                    table + here * 2 * item,
                    each,
                    sums_at + here * BYTES,
                    signs_at + base * item if with_signs else 0,
                    item << start,
                    scales[layer],
                )
                bit += width


@njit(nogil=True, cache=True)
def begin(state, low, left, right, lanes_are_complex, one):
    """Write the product of left (P, lanes) and right (Q, lanes) into a state; the right one's index is the lower."""
    at, a, b = state.ctypes.data, left.ctypes.data, right.ctypes.data
    q = len(right)
    for i in range(len(left)):
        for j in range(q):
            k = i * q + j
            multiply(at + (k + (k >> low)) * BYTES, a + i * BYTES, b + j * BYTES, lanes_are_complex, one)


@njit(nogil=True, cache=True)
def begin_back(adjoint, low, left, right, by_left, by_right, lanes_are_complex, one):
    """The gradients of `begin`, added to by_left and by_right."""
    at, a, b = adjoint.ctypes.data, left.ctypes.data, right.ctypes.data
    to_a, to_b = by_left.ctypes.data, by_right.ctypes.data
    q = len(right)
    for i in range(len(left)):
        for j in range(q):
            k = i * q + j
            row = at + (k + (k >> low)) * BYTES
            multiply_back(to_a + i * BYTES, row, b + j * BYTES, lanes_are_complex, one)
            multiply_back(to_b + j * BYTES, row, a + i * BYTES, lanes_are_complex, one)
