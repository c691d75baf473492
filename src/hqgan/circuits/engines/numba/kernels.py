"""The compiled gates behind `statevector` on a CPU: rotations of up to four qubits at a time, held in vector registers.

A state is rows of one vector register each. The lowest bits of a basis index choose a lane, the rest the row; a complex
row holds the real parts first and the imaginary ones behind them. So a gate on a high bit is arithmetic on whole rows, and
one on a low bit needs one shuffle a row besides.

A rotation by t is taken as cos(t/2) (1 + tan(t/2) G), one fused multiply-add a row; nobody asks for more than a quarter turn, see
`frames`. The factors of a layer are multiplied in with the signs of the CZs that follow it. In a row these signs are one of a few
patterns: the parity of some of the lane's bits, and the signs among the lanes themselves.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hqgan.circuits.engines.numba.simd import BYTES, INT, WIDE, Rows

HELD = 4 if WIDE else 3
"""Qubits whose rows fit into the registers; a state's and its adjoint's of one less."""


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


def _each_rotation(rows, kinds, act):
    """Call act(r, gate) for each rotation of a layer, the last first."""
    b = rows.b
    at_kinds, each = kinds
    if not rows.complex:
        act(ir.Constant(INT, 0), 0)
        return
    with cgutils.for_range(b, each, intp=INT) as loop:
        r = b.sub(b.sub(each, ir.Constant(INT, 1)), loop.index)
        kind = rows.byte(b.add(at_kinds, r))
        for gate in range(3):
            with b.if_then(b.icmp_signed("==", kind, ir.Constant(INT, gate))):
                act(r, gate)


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


def _make_undo_apart(bits):
    @intrinsic
    def undo(
        context, source, source_step, source_gap, target, target_step, target_gap, layers, gates, gate_step, kinds, each,
        sums, sum_step, codes, code_step, patterns, pattern_step, signed, kind,
    ):  # fmt: skip
        """What `undo` does, without the lanes' bits, with only the rows of the state or of the adjoint in registers.

        Rotations of one kind on different qubits commute, so their gradients are all taken before any of them is undone.
        """
        signature = types.void(*[types.int64] * 18, kind)

        def emit(ctx, b, sig, arguments):
            source, source_step, source_gap, target, target_step, target_gap, layers, *others = arguments
            gates, gate_step, kinds, each, sums, sum_step, codes, code_step, patterns, pattern_step, signed, _ = others
            rows, zero = Rows(b, kind), ir.Constant(INT, 0)
            slots, count = _slots(rows, 1 << bits), 1 << bits
            # Where the rows come from: the source, and from then on the target.
            now = [cgutils.alloca_once_value(b, value) for value in (source, source_step, source_gap)]

            def load(gap):
                at, step = b.add(b.load(now[0]), gap), b.load(now[1])
                for j, slot in enumerate(slots):
                    b.store(rows.load(rows.at(at, j, step)), slot)

            def store(gap):
                for j, slot in enumerate(slots):
                    rows.store(b.load(slot), b.add(rows.at(target, j, target_step), gap))

            def gradients(gate, sums):
                # Two chains each, since one would wait for itself.
                totals = [[rows.constant([0.0] * rows.lanes)] * 2 for _ in range(bits)]
                adjoint, step = b.add(b.load(now[0]), b.load(now[2])), b.load(now[1])
                for j in range(count):
                    row = rows.load(rows.at(adjoint, j, step))
                    for q, total in enumerate(totals):
                        one, two = b.load(slots[j & ~(1 << q)]), b.load(slots[j | 1 << q])
                        total[j % 2] = rows.fma(row, rows.partners(gate, one, two)[j >> q & 1], total[j % 2])
                for q, total in enumerate(totals):
                    at = rows.at(sums, BYTES * q, each)
                    rows.store(b.fadd(rows.load(at), b.fadd(*total)), at)

            def layer(first, addresses):
                gates, sums, patterns = addresses

                def act(r, gate):
                    def undo():
                        for q in range(bits):
                            t = rows.number(b.add(rows.at(gates, rows.size * q, each), rows.at(zero, rows.size, r)))
                            _rotation(rows, slots, q, gate, b.fneg(t))
                        wanted = b.or_(b.not_(first), b.icmp_signed("!=", signed, zero))
                        with b.if_then(b.and_(b.icmp_signed("==", r, zero), wanted)):
                            _signed(rows, [[slot] for slot in slots], codes, code_step, patterns)

                    load(zero)
                    gradients(gate, b.add(sums, rows.at(zero, BYTES, r)))
                    undo()
                    store(zero)
                    load(b.load(now[2]))
                    undo()
                    store(target_gap)
                    for place, value in zip(now, (target, target_step, target_gap), strict=True):
                        b.store(value, place)

                _each_rotation(rows, (kinds, each), act)

            steps = [(gates, gate_step), (sums, sum_step), (patterns, pattern_step)]
            _each_layer(rows, layers, steps, layer, back=True)
            return ctx.get_dummy_value()

        return signature, emit

    return undo


undo_apart = _make_undo_apart(HELD)
