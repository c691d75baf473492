"""The compiled engine's gates: rotations of up to four qubits at a time, held in vector registers; there, and back.

LAYOUT.md shows how a state stands in rows of one vector register each. A gate on a high bit is arithmetic on whole rows, and one
on a low bit, which chooses a number within a row, needs one shuffle a row besides.

A rotation by t is taken as cos(t/2) (1 + tan(t/2) G), one fused multiply-add a row. No angle is more than a quarter turn, see
`pauli_frame`. The factors cos(t/2) of a layer are multiplied in with the signs of the diagonal entanglers that follow it. In a
row these signs are one of a few patterns: the parity of some of the lane's bits, and the signs among the lanes themselves.

On the way back gates are undone on a state and on its adjoint, while their gradients are added up. With y = G x, the gradient by
a gate's angle is a sum over the products of the adjoint with what the gate's axis makes of the state, number by number.

`source`, `target` and `codes` are `sweeps.Strides`, and `gates` are `sweeps.Gates`. What is called each_... is a generator that
emits a loop, or a branch for each case, with what its user emits inside.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.simd import BYTES, INT, ROTATIONS, WIDE, Rows, unpacked

HELD = 4 if WIDE else 3
"""Qubits whose rows fit into the registers; one less where a state's and its adjoint's rows are held together."""


def rotate(rows, slots, q, axis, t):
    """Rotate pairs of rows that differ in bit q: a + t Ga."""
    b, tangent = rows.b, rows.fill(t)
    for one, two in pairs(slots, q):
        found = b.load(one), b.load(two)
        for slot, x, gx in zip((one, two), found, rows.on_rows(ROTATIONS[axis], *found), strict=True):
            b.store(rows.fma(tangent, gx, x), slot)


def rotate_lanes(rows, slots, q, axis, t):
    """The same for a bit that chooses lanes."""
    b = rows.b
    order, signs = rows.on_lanes(ROTATIONS[axis], q)
    tangent = b.fmul(rows.fill(t), signs)
    for slot in slots:
        x = b.load(slot)
        b.store(rows.fma(tangent, rows.shuffle(x, order), x), slot)


def pairs(items, q):
    """The items whose numbers differ in bit q alone, two by two."""
    return [(one, items[j | 1 << q]) for j, one in enumerate(items) if not j >> q & 1]


def registers(rows, count):
    """Places for so many rows, which LLVM keeps in registers."""
    return [cgutils.alloca_once(rows.b, rows.row) for _ in range(count)]


def load(rows, slots, at, step):
    """Fill places with the rows at an address, a step apart."""
    for j, slot in enumerate(slots):
        rows.b.store(rows.load(rows.at(at, j, step)), slot)


def store(rows, slots, at, step):
    """The reverse."""
    for j, slot in enumerate(slots):
        rows.store(rows.b.load(slot), rows.at(at, j, step))


def multiply_signs(rows, slots, codes, patterns):
    """Multiply each row by the pattern that its code names; a row may be several slots."""
    b = rows.b
    for j, row in enumerate(slots):
        pattern = rows.load(rows.at(patterns, BYTES, rows.byte(rows.at(codes.address, j, codes.row))))
        for slot in row:
            b.store(b.fmul(b.load(slot), pattern), slot)


def each_rotation(rows, gates, *, back):
    """A qubit's rotations in a layer, each as its number and axis; back: the last first. A real circuit has one, about y."""
    b, each = rows.b, gates.per_qubit
    if not rows.complex:
        yield ir.Constant(INT, 0), 0
        return
    with cgutils.for_range(b, each, intp=INT) as loop:
        r = b.sub(b.sub(each, ir.Constant(INT, 1)), loop.index) if back else loop.index
        chosen = rows.byte(b.add(gates.axes, r))
        for axis in range(3):
            with b.if_then(b.icmp_signed("==", chosen, ir.Constant(INT, axis))):
                yield r, axis


def each_gate(rows, bits, tangents, gates, *, back=False):
    """The rotations of `bits` qubits, each as qubit, axis, tangent and place; back: the inverse rotations, the last first."""
    b, each = rows.b, gates.per_qubit if rows.complex else ir.Constant(INT, 1)
    for q in range(bits):
        for r, axis in each_rotation(rows, gates, back=back):
            place = b.add(b.mul(each, ir.Constant(INT, q)), r)
            t = rows.number(rows.at(tangents, rows.size, place))
            yield q, axis, b.fneg(t) if back else t, place


def each_layer(rows, gates, *, back=False):
    """Some layers, as the gates of each, `signed` saying of this one whether it has patterns; back: the last first."""
    b = rows.b
    with cgutils.for_range(b, gates.layers, intp=INT) as loop:
        layer = b.sub(b.sub(gates.layers, ir.Constant(INT, 1)), loop.index) if back else loop.index
        steps = gates.gate_step, gates.pattern_step, gates.sum_step
        gate_step, pattern_step, sum_step = (b.mul(layer, step) for step in steps)
        yield gates._replace(
            tangents=b.add(gates.tangents, gate_step),
            lane_tangents=b.add(gates.lane_tangents, gate_step),
            patterns=b.add(gates.patterns, pattern_step),
            signed=b.or_(rows.nonzero(layer), rows.nonzero(gates.signed)),
            sums=b.add(gates.sums, sum_step),
            lane_sums=b.add(gates.lane_sums, sum_step),
        )


def _make_turn(bits):
    @intrinsic
    def turn(context, source, target, codes, gates, kind):
        """In each of some layers, patterns and rotations of the lanes' bits, if given, and of `bits` others, on 2^bits rows."""

        def emit(ctx, b, sig, arguments):
            source, target, codes, gates, _ = unpacked(b, sig, arguments)
            rows = Rows(b, kind)
            slots = registers(rows, 1 << bits)
            load(rows, slots, source.address, source.row)
            for here in each_layer(rows, gates):
                with b.if_then(here.signed):
                    multiply_signs(rows, [[slot] for slot in slots], codes, here.patterns)
                with b.if_then(rows.nonzero(gates.lane_tangents)):
                    for q, axis, t, _ in each_gate(rows, rows.bits, here.lane_tangents, gates):
                        rotate_lanes(rows, slots, q, axis, t)
                for q, axis, t, _ in each_gate(rows, bits, here.tangents, gates):
                    rotate(rows, slots, q, axis, t)
            store(rows, slots, target.address, target.row)
            return ctx.get_dummy_value()

        return types.void(source, target, codes, gates, kind), emit

    return turn


turn1, turn2, turn3, turn4 = (_make_turn(bits) for bits in (1, 2, 3, 4))


def _make_undo(bits):
    @intrinsic
    def undo(context, source, target, codes, gates, kind):
        """Undo what `turn` did on states and on their adjoints, and add up each gate's gradient."""

        def emit(ctx, b, sig, arguments):
            source, target, codes, gates, _ = unpacked(b, sig, arguments)
            rows = Rows(b, kind)
            ones = rows.constant([1.0] * rows.lanes)
            state, other = registers(rows, 1 << bits), registers(rows, 1 << bits)
            load(rows, state, source.address, source.row)
            load(rows, other, b.add(source.address, source.adjoint), source.row)
            for here in each_layer(rows, gates, back=True):
                with b.if_then(rows.nonzero(gates.lane_tangents)):
                    for q, axis, t, place in each_gate(rows, rows.bits, here.lane_tangents, gates, back=True):
                        order, signs = rows.on_lanes(ROTATIONS[axis], q)
                        terms = ((b.load(y), rows.shuffle(b.load(x), order)) for x, y in zip(state, other, strict=True))
                        rows.add_products(rows.at(here.lane_sums, BYTES, place), terms, signs)
                        rotate_lanes(rows, state, q, axis, t)
                        rotate_lanes(rows, other, q, axis, t)
                for q, axis, t, place in each_gate(rows, bits, here.tangents, gates, back=True):
                    products = []
                    for xs, ys in zip(pairs(state, q), pairs(other, q), strict=True):
                        turned = rows.on_rows(ROTATIONS[axis], *(b.load(x) for x in xs))
                        products += [(b.load(y), gx) for y, gx in zip(ys, turned, strict=True)]
                    rows.add_products(rows.at(here.sums, BYTES, place), products, ones)
                    rotate(rows, state, q, axis, t)
                    rotate(rows, other, q, axis, t)
                with b.if_then(here.signed):
                    multiply_signs(rows, list(zip(state, other, strict=True)), codes, here.patterns)
            store(rows, state, target.address, target.row)
            store(rows, other, b.add(target.address, target.adjoint), target.row)
            return ctx.get_dummy_value()

        return types.void(source, target, codes, gates, kind), emit

    return undo


undo1, undo2, undo3 = (_make_undo(bits) for bits in (1, 2, 3))


@intrinsic
def undo_apart(context, source, target, codes, gates, kind):
    """What `undo` does, on `HELD` bits without the lanes', with only the rows of the state or of the adjoint in registers.

    Rotations of one kind on different qubits commute, so their gradients are all taken before any of them is undone.
    """

    def emit(ctx, b, sig, arguments):
        source, target, codes, gates, _ = unpacked(b, sig, arguments)
        rows, zero, each = Rows(b, kind), ir.Constant(INT, 0), gates.per_qubit
        slots = registers(rows, 1 << HELD)
        # Where the rows come from: the source, and from then on the target.
        now = [cgutils.alloca_once_value(b, value) for value in (source.address, source.row, source.adjoint)]

        def add_gradients(axis, sums):
            # Two chains each, since one would wait for itself.
            totals = [[rows.constant([0.0] * rows.lanes)] * 2 for _ in range(HELD)]
            at, step, adjoint = (b.load(value) for value in now)
            for j in range(len(slots)):
                row = rows.load(rows.at(b.add(at, adjoint), j, step))
                for q, total in enumerate(totals):
                    turned = rows.on_rows(ROTATIONS[axis], b.load(slots[j & ~(1 << q)]), b.load(slots[j | 1 << q]))
                    total[j % 2] = rows.fma(row, turned[j >> q & 1], total[j % 2])
            for q, total in enumerate(totals):
                at = rows.at(sums, BYTES * q, each)
                rows.store(b.fadd(rows.load(at), b.fadd(*total)), at)

        for here in each_layer(rows, gates, back=True):
            for r, axis in each_rotation(rows, gates, back=True):
                gaps = ((False, zero, zero), (True, b.load(now[2]), target.adjoint))
                for is_adjoint, from_gap, to_gap in gaps:
                    load(rows, slots, b.add(b.load(now[0]), from_gap), b.load(now[1]))
                    if not is_adjoint:
                        add_gradients(axis, rows.at(here.sums, BYTES, r))
                    for q in range(HELD):
                        t = rows.number(b.add(rows.at(here.tangents, rows.size * q, each), rows.at(zero, rows.size, r)))
                        rotate(rows, slots, q, axis, b.fneg(t))
                    with b.if_then(b.and_(b.icmp_signed("==", r, zero), here.signed)):
                        multiply_signs(rows, [[slot] for slot in slots], codes, here.patterns)
                    store(rows, slots, b.add(target.address, to_gap), target.row)
                for place, value in zip(now, (target.address, target.row, target.adjoint), strict=True):
                    b.store(value, place)
        return ctx.get_dummy_value()

    return types.void(source, target, codes, gates, kind), emit
