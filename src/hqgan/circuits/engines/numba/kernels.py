"""The compiled engine's gates: rotations of up to four qubits at a time, held in vector registers.

LAYOUT.md shows how a state stands in rows of one vector register each. A gate on a high bit is arithmetic on whole rows, and one
on a low bit, which chooses a number within a row, needs one shuffle a row besides.

A rotation by t is taken as cos(t/2) (1 + tan(t/2) G), one fused multiply-add a row. No angle is more than a quarter turn, see
`pauli_frame`. The factors cos(t/2) of a layer are multiplied in with the signs of the diagonal entanglers that follow it. In a
row these signs are one of a few patterns: the parity of some of the lane's bits, and the signs among the lanes themselves.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.simd import BYTES, INT, WIDE, Rows, unpacked

HELD = 4 if WIDE else 3
"""Qubits whose rows fit into the registers; one less where a state's and its adjoint's rows are held together."""


def rotate(rows, slots, q, axis, t):
    """Rotate pairs of rows that differ in bit q: a + t Ga."""
    b, tangent = rows.b, rows.fill(t)
    for j in range(len(slots)):
        if not j >> q & 1:
            one, two = slots[j], slots[j | 1 << q]
            x, y = b.load(one), b.load(two)
            gx, gy = rows.partners(axis, x, y)
            b.store(rows.fma(tangent, gx, x), one)
            b.store(rows.fma(tangent, gy, y), two)


def rotate_lanes(rows, slots, q, axis, t):
    """The same for a bit that chooses lanes."""
    b = rows.b
    order, signs = rows.partner(axis, q)
    tangent = b.fmul(rows.fill(t), signs)
    for slot in slots:
        x = b.load(slot)
        b.store(rows.fma(tangent, rows.shuffle(x, order), x), slot)


def registers(rows, count):
    """Places for so many rows, which LLVM keeps in registers."""
    return [cgutils.alloca_once(rows.b, rows.row) for _ in range(count)]


def multiply_signs(rows, slots, codes, patterns):
    """Multiply each row by the pattern that its code names; a row may be several slots."""
    b = rows.b
    for j, row in enumerate(slots):
        pattern = rows.load(rows.at(patterns, BYTES, rows.byte(rows.at(codes.address, j, codes.row))))
        for slot in row:
            b.store(b.fmul(b.load(slot), pattern), slot)


def each_gate(rows, bits, tangents, gates, act, *, back=False):
    """Call act(q, axis, t, place) for each rotation of `bits` qubits; back: the inverse rotations, last first.

    A real circuit has one rotation a qubit, about y.
    """
    b, each = rows.b, gates.per_qubit
    for q in range(bits):
        if not rows.complex:
            t = rows.number(tangents, q)
            act(q, 0, b.fneg(t) if back else t, ir.Constant(INT, q))
            continue
        with cgutils.for_range(b, each, intp=INT) as loop:
            r = b.sub(b.sub(each, ir.Constant(INT, 1)), loop.index) if back else loop.index
            place = b.add(b.mul(each, ir.Constant(INT, q)), r)
            t = rows.number(rows.at(tangents, rows.size, place))
            chosen = rows.byte(b.add(gates.axes, r))
            t = b.fneg(t) if back else t
            for axis in range(3):
                with b.if_then(b.icmp_signed("==", chosen, ir.Constant(INT, axis))):
                    act(q, axis, t, place)


def each_layer(rows, layers, steps, act, *, back=False):
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
    def turn(context, source, target, codes, gates, signs, kind):
        """In each of some layers, patterns and rotations of the lanes' bits, if given, and of `bits` others, on 2^bits rows."""

        def emit(ctx, b, sig, arguments):
            source, target, codes, gates, signs, _ = unpacked(b, sig, arguments)
            rows, zero = Rows(b, kind), ir.Constant(INT, 0)
            slots = registers(rows, 1 << bits)
            for j, slot in enumerate(slots):
                b.store(rows.load(rows.at(source.address, j, source.row)), slot)

            def act_on_lanes(q, axis, t, place):
                rotate_lanes(rows, slots, q, axis, t)

            def act(q, axis, t, place):
                rotate(rows, slots, q, axis, t)

            def layer(first, addresses):
                tangents, lane_tangents, patterns = addresses
                with b.if_then(b.or_(b.not_(first), b.icmp_signed("!=", signs.first, zero))):
                    multiply_signs(rows, [[slot] for slot in slots], codes, patterns)
                with b.if_then(b.icmp_signed("!=", gates.lanes, zero)):
                    each_gate(rows, rows.bits, lane_tangents, gates, act_on_lanes)
                each_gate(rows, bits, tangents, gates, act)

            steps = [(gates.address, gates.layer), (gates.lanes, gates.layer), (signs.address, signs.layer)]
            each_layer(rows, gates.layers, steps, layer)
            for j, slot in enumerate(slots):
                rows.store(b.load(slot), rows.at(target.address, j, target.row))
            return ctx.get_dummy_value()

        return types.void(source, target, codes, gates, signs, kind), emit

    return turn


turn1, turn2, turn3, turn4 = (_make_turn(bits) for bits in (1, 2, 3, 4))
