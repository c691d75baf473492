"""The compiled engine's gates on the way back: undone on a state and on its adjoint, while their gradients are added up.

With y = G x, the gradient by a gate's angle is a sum over the products of the adjoint with what the gate's axis makes of the
state, number by number.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.kernels import (
    HELD,
    each_gate,
    each_layer,
    multiply_signs,
    registers,
    rotate,
    rotate_lanes,
)
from hqgan.circuits.engines.numba.simd import BYTES, INT, Rows, unpacked


def _each_rotation(rows, gates, act):
    """Call act(r, axis) for each rotation of a layer, the last first."""
    b, each = rows.b, gates.per_qubit
    if not rows.complex:
        act(ir.Constant(INT, 0), 0)
        return
    with cgutils.for_range(b, each, intp=INT) as loop:
        r = b.sub(b.sub(each, ir.Constant(INT, 1)), loop.index)
        chosen = rows.byte(b.add(gates.axes, r))
        for axis in range(3):
            with b.if_then(b.icmp_signed("==", chosen, ir.Constant(INT, axis))):
                act(r, axis)


def _make_undo(bits):
    @intrinsic
    def undo(context, source, target, codes, gates, signs, sums, kind):
        """Undo what `turn` did on states and on their adjoints, and add up each gate's gradient."""

        def emit(ctx, b, sig, arguments):
            source, target, codes, gates, signs, sums, _ = unpacked(b, sig, arguments)
            rows, zero = Rows(b, kind), ir.Constant(INT, 0)
            state, other = registers(rows, 1 << bits), registers(rows, 1 << bits)
            for j in range(1 << bits):
                at = rows.at(source.address, j, source.row)
                b.store(rows.load(at), state[j])
                b.store(rows.load(b.add(at, source.adjoint)), other[j])

            def add(at, terms, lane_signs=None):
                """Add products to a sum in two chains, since one would wait for itself."""
                total = [rows.constant([0.0] * rows.lanes)] * 2
                for i, (x, y) in enumerate(terms):
                    total[i % 2] = rows.fma(x, y, total[i % 2])
                before, found = rows.load(at), b.fadd(*total)
                rows.store(b.fadd(before, found) if lane_signs is None else rows.fma(found, lane_signs, before), at)

            def layer(first, addresses):
                tangents, lane_tangents, gate_sums, lane_sums, patterns = addresses

                def act_on_lanes(q, axis, t, place):
                    order, lane_signs = rows.partner(axis, q)
                    terms = ((b.load(other[j]), rows.shuffle(b.load(state[j]), order)) for j in range(1 << bits))
                    add(rows.at(lane_sums, BYTES, place), terms, lane_signs)
                    rotate_lanes(rows, state, q, axis, t)
                    rotate_lanes(rows, other, q, axis, t)

                def act(q, axis, t, place):
                    terms = []
                    for j in range(1 << bits):
                        if not j >> q & 1:
                            k = j | 1 << q
                            gx, gy = rows.partners(axis, b.load(state[j]), b.load(state[k]))
                            terms += [(b.load(other[j]), gx), (b.load(other[k]), gy)]
                    add(rows.at(gate_sums, BYTES, place), terms)
                    rotate(rows, state, q, axis, t)
                    rotate(rows, other, q, axis, t)

                with b.if_then(b.icmp_signed("!=", gates.lanes, zero)):
                    each_gate(rows, rows.bits, lane_tangents, gates, act_on_lanes, back=True)
                each_gate(rows, bits, tangents, gates, act, back=True)
                with b.if_then(b.or_(b.not_(first), b.icmp_signed("!=", signs.first, zero))):
                    pairs = [list(pair) for pair in zip(state, other, strict=True)]
                    multiply_signs(rows, pairs, codes, patterns)

            steps = [(gates.address, gates.layer), (gates.lanes, gates.layer)]
            steps += [(sums.address, sums.layer), (sums.lanes, sums.layer), (signs.address, signs.layer)]
            each_layer(rows, gates.layers, steps, layer, back=True)
            for j in range(1 << bits):
                at = rows.at(target.address, j, target.row)
                rows.store(b.load(state[j]), at)
                rows.store(b.load(other[j]), b.add(at, target.adjoint))
            return ctx.get_dummy_value()

        return types.void(source, target, codes, gates, signs, sums, kind), emit

    return undo


undo1, undo2, undo3 = (_make_undo(bits) for bits in (1, 2, 3))


def _make_undo_apart(bits):
    @intrinsic
    def undo(context, source, target, codes, gates, signs, sums, kind):
        """What `undo` does, without the lanes' bits, with only the rows of the state or of the adjoint in registers.

        Rotations of one kind on different qubits commute, so their gradients are all taken before any of them is undone.
        """

        def emit(ctx, b, sig, arguments):
            source, target, codes, gates, signs, sums, _ = unpacked(b, sig, arguments)
            rows, zero, each = Rows(b, kind), ir.Constant(INT, 0), gates.per_qubit
            slots, count = registers(rows, 1 << bits), 1 << bits
            # Where the rows come from: the source, and from then on the target.
            now = [cgutils.alloca_once_value(b, value) for value in (source.address, source.row, source.adjoint)]

            def load(gap):
                at, step = b.add(b.load(now[0]), gap), b.load(now[1])
                for j, slot in enumerate(slots):
                    b.store(rows.load(rows.at(at, j, step)), slot)

            def store(gap):
                for j, slot in enumerate(slots):
                    rows.store(b.load(slot), b.add(rows.at(target.address, j, target.row), gap))

            def gradients(axis, at_sums):
                # Two chains each, since one would wait for itself.
                totals = [[rows.constant([0.0] * rows.lanes)] * 2 for _ in range(bits)]
                adjoint, step = b.add(b.load(now[0]), b.load(now[2])), b.load(now[1])
                for j in range(count):
                    row = rows.load(rows.at(adjoint, j, step))
                    for q, total in enumerate(totals):
                        one, two = b.load(slots[j & ~(1 << q)]), b.load(slots[j | 1 << q])
                        total[j % 2] = rows.fma(row, rows.partners(axis, one, two)[j >> q & 1], total[j % 2])
                for q, total in enumerate(totals):
                    at = rows.at(at_sums, BYTES * q, each)
                    rows.store(b.fadd(rows.load(at), b.fadd(*total)), at)

            def layer(first, addresses):
                tangents, gate_sums, patterns = addresses

                def act(r, axis):
                    def undo():
                        for q in range(bits):
                            t = rows.number(b.add(rows.at(tangents, rows.size * q, each), rows.at(zero, rows.size, r)))
                            rotate(rows, slots, q, axis, b.fneg(t))
                        wanted = b.or_(b.not_(first), b.icmp_signed("!=", signs.first, zero))
                        with b.if_then(b.and_(b.icmp_signed("==", r, zero), wanted)):
                            multiply_signs(rows, [[slot] for slot in slots], codes, patterns)

                    load(zero)
                    gradients(axis, b.add(gate_sums, rows.at(zero, BYTES, r)))
                    undo()
                    store(zero)
                    load(b.load(now[2]))
                    undo()
                    store(target.adjoint)
                    for place, value in zip(now, (target.address, target.row, target.adjoint), strict=True):
                        b.store(value, place)

                _each_rotation(rows, gates, act)

            steps = [(gates.address, gates.layer), (sums.address, sums.layer), (signs.address, signs.layer)]
            each_layer(rows, gates.layers, steps, layer, back=True)
            return ctx.get_dummy_value()

        return types.void(source, target, codes, gates, signs, sums, kind), emit

    return undo


undo_apart = _make_undo_apart(HELD)
