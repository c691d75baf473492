"""The compiled gates behind `statevector` on a CPU: rotations of up to four qubits at a time, held in vector registers.

A state is rows of one vector register each. The lowest bits of a basis index choose a lane, the rest the row; a complex
row holds the real parts first and the imaginary ones behind them. So a gate on a high bit is arithmetic on whole rows, and
one on a low bit needs one shuffle a row besides. A sweep takes 2^m rows that differ in one group of up to eight bits,
applies what these can take, one layer or more with the CZs between, and writes them back.

A rotation by t is taken as cos(t/2) (1 + tan(t/2) G), one fused multiply-add a row; nobody asks for more than a quarter turn, see
`frames`. The factors of a layer are multiplied in with the signs of the CZs that follow it. In a row these signs are one of a few
patterns: the parity of some of the lane's bits, and the signs among the lanes themselves.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.compiled.jit import by_address, compiled
from hqgan.circuits.compiled.rows import BYTES, INT, WIDE, Rows

TURNED, UNDONE = (4, 3) if WIDE else (3, 2)
"""Qubits whose rows, or whose state's and adjoint's rows, fit into the registers."""


def _rotation(rows, slots, q, gate, t):
    """Rotate pairs of rows that differ in bit q: a + t Ga."""
    b, tangent = rows.b, rows.fill(t)
    for j in range(len(slots)):
        if not j >> q & 1:
            one, two = slots[j], slots[j | 1 << q]
            x, y = b.load(one), b.load(two)
            gx, gy = rows.partners(gate, x, y)
            b.store(rows.fma(tangent, gx, x), one)
            b.store(rows.fma(tangent, gy, y), two)


def _lane_rotation(rows, slots, q, gate, t):
    """The same for a bit that chooses lanes."""
    b = rows.b
    order, signs = rows.partner(gate, q)
    tangent = b.fmul(rows.fill(t), signs)
    for slot in slots:
        x = b.load(slot)
        b.store(rows.fma(tangent, rows.shuffle(x, order), x), slot)


def _slots(rows, count):
    return [cgutils.alloca_once(rows.b, rows.row) for _ in range(count)]


def _signed(rows, slots, codes, code_step, patterns):
    """Multiply each row by the pattern that its code names; a row may be several slots."""
    b = rows.b
    for j, row in enumerate(slots):
        pattern = rows.load(rows.at(patterns, BYTES, rows.byte(rows.at(codes, j, code_step))))
        for slot in row:
            b.store(b.fmul(b.load(slot), pattern), slot)


def _each_gate(rows, bits, gates, kinds, act, *, back=False):
    """Call act(q, gate, t, place) for each rotation of `bits` qubits; back: inverse, last first.

    kinds: (address of the rotations' codes, their count). A real circuit has one rotation a qubit, about y.
    """
    b = rows.b
    at_kinds, each = kinds
    for q in range(bits):
        if not rows.complex:
            t = rows.number(gates, q)
            act(q, 0, b.fneg(t) if back else t, ir.Constant(INT, q))
            continue
        with cgutils.for_range(b, each, intp=INT) as loop:
            r = b.sub(b.sub(each, ir.Constant(INT, 1)), loop.index) if back else loop.index
            place = b.add(b.mul(each, ir.Constant(INT, q)), r)
            t = rows.number(rows.at(gates, rows.size, place))
            kind = rows.byte(b.add(at_kinds, r))
            t = b.fneg(t) if back else t
            for gate in range(3):
                with b.if_then(b.icmp_signed("==", kind, ir.Constant(INT, gate))):
                    act(q, gate, t, place)


def _each_layer(rows, layers, steps, act, *, back=False):
    """Call act(layer is the first, addresses) for each of some layers, whose tables lie `steps` bytes apart; back: last first."""
    b = rows.b
    with cgutils.for_range(b, layers, intp=INT) as loop:
        layer = b.sub(b.sub(layers, ir.Constant(INT, 1)), loop.index) if back else loop.index
        act(
            b.icmp_signed("==", layer, ir.Constant(INT, 0)),
            [b.add(address, b.mul(layer, step)) for address, step in steps],
        )


def _make_turn(bits):
    @intrinsic
    def turn(
        context, source, source_step, target, target_step, layers, gates, lane_gates, gate_step, kinds, each, codes,
        code_step, patterns, pattern_step, signed, kind,
    ):  # fmt: skip
        """In each of some layers, patterns and rotations of the lanes' bits, if given, and of `bits` others, on 2^bits rows."""
        signature = types.void(*[types.int64] * 15, kind)

        def emit(ctx, b, sig, arguments):
            source, source_step, target, target_step, layers, gates, lane_gates, gate_step, kinds, *others = arguments
            each, codes, code_step, patterns, pattern_step, signed, _ = others
            rows, zero = Rows(b, kind), ir.Constant(INT, 0)
            slots = _slots(rows, 1 << bits)
            for j, slot in enumerate(slots):
                b.store(rows.load(rows.at(source, j, source_step)), slot)

            def act_on_lanes(q, gate, t, place):
                _lane_rotation(rows, slots, q, gate, t)

            def act(q, gate, t, place):
                _rotation(rows, slots, q, gate, t)

            def layer(first, addresses):
                gates, lane_gates_here, patterns = addresses
                with b.if_then(b.or_(b.not_(first), b.icmp_signed("!=", signed, zero))):
                    _signed(rows, [[slot] for slot in slots], codes, code_step, patterns)
                with b.if_then(b.icmp_signed("!=", lane_gates, zero)):
                    _each_gate(rows, rows.bits, lane_gates_here, (kinds, each), act_on_lanes)
                _each_gate(rows, bits, gates, (kinds, each), act)

            _each_layer(rows, layers, [(gates, gate_step), (lane_gates, gate_step), (patterns, pattern_step)], layer)
            for j, slot in enumerate(slots):
                rows.store(b.load(slot), rows.at(target, j, target_step))
            return ctx.get_dummy_value()

        return signature, emit

    return turn


turn1, turn2, turn3, turn4 = (_make_turn(bits) for bits in (1, 2, 3, 4))


def _make_undo(bits):
    @intrinsic
    def undo(
        context, source, source_step, source_gap, target, target_step, target_gap, layers, gates, lane_gates, gate_step,
        kinds, each, sums, lane_sums, sum_step, codes, code_step, patterns, pattern_step, signed, kind,
    ):  # fmt: skip
        """Undo what `turn` did on states and on their adjoints, a gap of bytes away, and add up each gate's gradient."""
        signature = types.void(*[types.int64] * 20, kind)

        def emit(ctx, b, sig, arguments):
            source, source_step, source_gap, target, target_step, target_gap, layers, *others = arguments
            gates, lane_gates, gate_step, kinds, each, sums, lane_sums, sum_step, *others = others
            codes, code_step, patterns, pattern_step, signed, _ = others
            rows, zero = Rows(b, kind), ir.Constant(INT, 0)
            state, other = _slots(rows, 1 << bits), _slots(rows, 1 << bits)
            for j in range(1 << bits):
                at = rows.at(source, j, source_step)
                b.store(rows.load(at), state[j])
                b.store(rows.load(b.add(at, source_gap)), other[j])

            def add(at, terms, signs=None):
                """Add products to a sum in two chains, since one would wait for itself."""
                total = [rows.constant([0.0] * rows.lanes)] * 2
                for i, (x, y) in enumerate(terms):
                    total[i % 2] = rows.fma(x, y, total[i % 2])
                before, found = rows.load(at), b.fadd(*total)
                rows.store(b.fadd(before, found) if signs is None else rows.fma(found, signs, before), at)

            def layer(first, addresses):
                gates, lane_gates_here, sums, lane_sums, patterns = addresses

                def act_on_lanes(q, gate, t, place):
                    order, signs = rows.partner(gate, q)
                    terms = ((b.load(other[j]), rows.shuffle(b.load(state[j]), order)) for j in range(1 << bits))
                    add(rows.at(lane_sums, BYTES, place), terms, signs)
                    _lane_rotation(rows, state, q, gate, t)
                    _lane_rotation(rows, other, q, gate, t)

                def act(q, gate, t, place):
                    terms = []
                    for j in range(1 << bits):
                        if not j >> q & 1:
                            k = j | 1 << q
                            gx, gy = rows.partners(gate, b.load(state[j]), b.load(state[k]))
                            terms += [(b.load(other[j]), gx), (b.load(other[k]), gy)]
                    add(rows.at(sums, BYTES, place), terms)
                    _rotation(rows, state, q, gate, t)
                    _rotation(rows, other, q, gate, t)

                with b.if_then(b.icmp_signed("!=", lane_gates, zero)):
                    _each_gate(rows, rows.bits, lane_gates_here, (kinds, each), act_on_lanes, back=True)
                _each_gate(rows, bits, gates, (kinds, each), act, back=True)
                with b.if_then(b.or_(b.not_(first), b.icmp_signed("!=", signed, zero))):
                    pairs = [list(pair) for pair in zip(state, other, strict=True)]
                    _signed(rows, pairs, codes, code_step, patterns)

            steps = [(x, gate_step) for x in (gates, lane_gates)] + [(x, sum_step) for x in (sums, lane_sums)]
            _each_layer(rows, layers, [*steps, (patterns, pattern_step)], layer, back=True)
            for j in range(1 << bits):
                at = rows.at(target, j, target_step)
                rows.store(b.load(state[j]), at)
                rows.store(b.load(other[j]), b.add(at, target_gap))
            return ctx.get_dummy_value()

        return signature, emit

    return undo


undo1, undo2, undo3 = (_make_undo(bits) for bits in (1, 2, 3))


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
    """Loops over `turn` and `undo` for states of a type, compiled, with addresses."""
    kind = np.empty(0, dtype)

    def turns(bits, bit, count, source, source_step, target, target_step, layers, gates, lane_gates, gate_step, kinds, each,
               codes, code_step, patterns, pattern_step, signed):  # fmt: skip
        """`turn` on qubits `bit` to `bit + bits` of a group for each of `count` settings of the group's other qubits."""
        low = (1 << bit) - 1
        a, b, c = source_step << bit, target_step << bit, code_step << bit
        for rest in range(count):
            j = (rest & low) | (rest >> bit) << (bit + bits)
            one, two, code = source + j * source_step, target + j * target_step, codes + j * code_step
            # fmt: off
            if bits == 4:
                turn4(one, a, two, b, layers, gates, lane_gates, gate_step, kinds, each, code, c, patterns,
                      pattern_step, signed, kind)
            elif bits == 3:
                turn3(one, a, two, b, layers, gates, lane_gates, gate_step, kinds, each, code, c, patterns,
                      pattern_step, signed, kind)
            elif bits == 2:
                turn2(one, a, two, b, layers, gates, lane_gates, gate_step, kinds, each, code, c, patterns,
                      pattern_step, signed, kind)
            else:
                turn1(one, a, two, b, layers, gates, lane_gates, gate_step, kinds, each, code, c, patterns,
                      pattern_step, signed, kind)
            # fmt: on

    def undos(bits, bit, count, source, source_step, source_gap, target, target_step, target_gap, layers, gates, lane_gates,
               gate_step, kinds, each, sums, lane_sums, sum_step, codes, code_step, patterns, pattern_step, signed,
               ):  # fmt: skip
        low = (1 << bit) - 1
        a, b, c = source_step << bit, target_step << bit, code_step << bit
        for rest in range(count):
            j = (rest & low) | (rest >> bit) << (bit + bits)
            one, two, code = source + j * source_step, target + j * target_step, codes + j * code_step
            # fmt: off
            if bits == 3:
                undo3(one, a, source_gap, two, b, target_gap, layers, gates, lane_gates, gate_step, kinds, each, sums, lane_sums,
                      sum_step, code, c, patterns, pattern_step, signed, kind)
            elif bits == 2:
                undo2(one, a, source_gap, two, b, target_gap, layers, gates, lane_gates, gate_step, kinds, each, sums, lane_sums,
                      sum_step, code, c, patterns, pattern_step, signed, kind)
            else:
                undo1(one, a, source_gap, two, b, target_gap, layers, gates, lane_gates, gate_step, kinds, each, sums, lane_sums,
                      sum_step, code, c, patterns, pattern_step, signed, kind)
            # fmt: on

    return by_address(18, turns), by_address(23, undos)


@compiled
def sweep(source, target, buffer, where, group, kinds, gates, codes, patterns, kind):
    """Rotations of one group of bits in several layers, on a whole state.

    Args:
        source: (rows, lanes).
        target: (rows, lanes), where the result goes; may be the source.
        buffer: (2^8, lanes), to work in.
        where: (lane bits, row bits, row bits of the first group). Basis states of row j stand in row j + (j >> first): rows
            that differ in a high bit alone would else fall on one line of the cache.
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
    begun, at, room = source.ctypes.data, target.ctypes.data, buffer.ctypes.data
    n, each = gates.shape[1:3]
    gate_step, pattern_step = n * each * item, patterns.shape[1] * BYTES
    step = 1 if start == 0 else (1 << start) + (1 << (start - low))
    parts = (size + TURNED - 1) // TURNED
    once = count if parts == 1 else 1  # layers that the registers take at a time
    for outer in range(1 << (row_bits - size)):
        base = (outer & ((1 << start) - 1)) | (outer >> start) << (start + size)
        home = (base + (base >> low)) * BYTES
        for layer in range(first, first + count, once):
            here = gates.ctypes.data + layer * gate_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                opening, closing = layer == first and part == 0, layer + once == first + count and part == parts - 1
                one, one_step = (begun + home, step * BYTES) if opening else (room, BYTES)
                two, two_step = (at + home, step * BYTES) if closing else (room, BYTES)
                arguments = (
                    width, bit, 1 << (size - width), one, one_step, two, two_step, once,
                    here + (lane_bits + start + bit) * each * item, here if part == 0 and start == 0 else 0, gate_step,
                    kinds.ctypes.data, each, codes.ctypes.data + base, 1 << start,
                    patterns.ctypes.data + layer * pattern_step, pattern_step,
                    1 if part == 0 and (signed or layer > first) else 0,
                )  # fmt: skip
                call(kind[1], arguments)
                bit += width


@compiled
def sweep_back(both, buffer, where, group, kinds, gates, codes, patterns, sums, kind):
    """Undo `sweep` on a state and its adjoint, both (2, rows, lanes), and add gradients up in sums (L, n, R, lanes)."""
    lane_bits, row_bits, low = where
    start, size, first, count, signed = group[0], group[1], group[2], group[3], group[4]
    item = gates.itemsize
    at, room = both.ctypes.data, buffer.ctypes.data
    gap, room_gap = both.shape[1] * BYTES, buffer.shape[1] * BYTES
    n, each = gates.shape[1:3]
    gate_step, sum_step, pattern_step = n * each * item, n * each * BYTES, patterns.shape[1] * BYTES
    step = 1 if start == 0 else (1 << start) + (1 << (start - low))
    parts = (size + UNDONE - 1) // UNDONE
    once = count if parts == 1 else 1
    for outer in range(1 << (row_bits - size)):
        base = (outer & ((1 << start) - 1)) | (outer >> start) << (start + size)
        home = at + (base + (base >> low)) * BYTES
        for layer in range(first + count - once, first - 1, -once):
            here, below = gates.ctypes.data + layer * gate_step, sums.ctypes.data + layer * sum_step
            bit = 0
            for part in range(parts):
                width = (size - bit + parts - part - 1) // (parts - part)
                row = (lane_bits + start + bit) * each
                opening, closing = layer + once == first + count and part == 0, layer == first and part == parts - 1
                source, source_step, source_gap = (home, step * BYTES, gap) if opening else (room, BYTES, room_gap)
                target, target_step, target_gap = (home, step * BYTES, gap) if closing else (room, BYTES, room_gap)
                arguments = (
                    width, bit, 1 << (size - width), source, source_step, source_gap, target, target_step, target_gap, once,
                    here + row * item, here if part == 0 and start == 0 else 0, gate_step, kinds.ctypes.data, each,
                    below + row * BYTES, below, sum_step, codes.ctypes.data + base, 1 << start,
                    patterns.ctypes.data + layer * pattern_step, pattern_step,
                    1 if part == parts - 1 and (signed or layer > first) else 0,
                )  # fmt: skip
                call(kind[2], arguments)
                bit += width
