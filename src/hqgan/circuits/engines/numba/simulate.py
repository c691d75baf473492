"""Compiled walks through whole circuits, one after the other: first state, sweeps, readouts, and back."""

from __future__ import annotations

import numpy as np

from hqgan.circuits.engines.numba.bipartition import ends, first_halves, first_halves_back
from hqgan.circuits.engines.numba.elementwise import gather, lay_out, lay_out_back, permute, scaled, spread
from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.paulis import expectations, observed
from hqgan.circuits.engines.numba.simd import BYTES
from hqgan.circuits.engines.numba.sweeps import sweep, sweep_back
from hqgan.circuits.engines.numba.vectors import (
    accumulate,
    add_product,
    add_signed,
    add_squares,
    begin,
    begin_back,
    dot,
    multiply,
)


@compiled
def walk(lo, hi, amplitudes, circuit, call, states, work, values, kind):
    """Run circuits `lo` to `hi`, and write their readouts.

    Args:
        lo: first circuit.
        hi: one behind the last.
        amplitudes: (T, n, 2, 2) by circuit, qubit, value, real or imaginary part, after the encoding.
        circuit: what does not change, see `program.Circuit`.
        call: what a call's weights make, see `engine.Call`.
        states: (T or 1, planes, rows, lanes), where final states go, without the last signs and factor unless the readout is
            of single qubits; one after the other into the same if there is only one.
        work: to work in, see `engine.Work`.
        values: (T, M) readouts.
        kind: as in `sweeps.sweep`.
    """
    where, right, width, rows = circuit.where, circuit.bits[1], circuit.width, work.rows
    first, last = ends(circuit)
    upper = work.halves[0][0, first:last].reshape((-1, 1 << circuit.bits[0]))
    lower = work.halves[1][0, first:last].reshape((-1, 1 << right))
    for t in range(lo, hi):
        k, slot = t // call.batch, t if len(states) > 1 else 0
        first_halves(amplitudes[t], k, circuit, call, work, kind)
        for plane in range(states.shape[1]):
            state = states[slot, plane]
            flat = state.reshape(-1)
            lay_out(lower, plane, width, rows)
            begin(state, upper, rows, where, right, kind)
            for group in circuit.sweeps:
                if group[1] == 0:
                    permute(flat, work.room[0].reshape(-1), circuit.moves[0])
                else:
                    sweep(
                        state, state, work.buffer[0], where, group, circuit.kinds, call.gates[k], circuit.codes,
                        call.patterns[k], kind,
                    )  # fmt: skip
        if circuit.wanted:
            work.sums[:] = 0
            for plane in range(states.shape[1]):
                expectations(
                    states[slot, plane], where, circuit.parts, circuit.codes, call.closing[k], circuit.wanted, work.sums, kind
                )  # fmt: skip
            for w in range(len(circuit.local_words)):
                bit, letter = circuit.local_words[w, 0], circuit.local_words[w, 1]
                values[t, w] = work.sums[bit, letter].sum() * call.word_signs[k, w]
        for f in range(len(circuit.families)):
            measure(states[slot], k, f, circuit, call, work, values[t], kind)


@compiled
def measure(state, k, f, circuit, call, work, values, kind):
    """Write the readouts of a family: a final state (planes, rows, lanes) to values (M,)."""
    l0, l1, w0, w1, turned = five(circuit.families[f])
    if turned:
        for plane in range(len(state)):
            turn_basis(state[plane], work.room[plane], 0, k, f, circuit, call, work, kind)
    found, factor = work.room if turned else state, call.squares[f, k]
    table, squares = work.table, work.line
    table[l0:l1] = 0
    for i in range(1 << circuit.bits[0]):
        squares[:] = 0
        for plane in range(len(state)):
            add_squares(squares, found[plane], i, circuit.where, circuit.bits[1], kind)
        if w1 == w0:
            spread(squares, i, circuit.width, factor, call.flips[k], values)
        for a in range(l0, l1):
            accumulate(table[a], circuit.left_signs[a, i], squares, kind)
    for w in range(w0, w1):
        a, b, place = circuit.words[w, 0], circuit.words[w, 1], circuit.words[w, 2]
        values[place] = dot(table[a], circuit.right_signs[b], kind) * factor * call.word_signs[k, w]


@compiled
def turn_basis(source, target, way, k, f, circuit, call, work, kind):
    """Turn a state (rows, lanes): way 0, by the last signs and then to a family's basis; way 1, back but for the signs."""
    groups = circuit.back if way else circuit.there
    for g in range(len(groups)):
        sweep(
            target if g else source, target, work.buffer[0], circuit.where, groups[g], circuit.basis_kinds,
            circuit.bases[f, way], circuit.codes, call.last[f, k], kind,
        )  # fmt: skip


@compiled
def five(row):
    """The numbers of a table's row."""
    return row[0], row[1], row[2], row[3], row[4]


@compiled
def walk_back(lo, hi, amplitudes, circuit, call, states, work, gradient, by_amplitudes, sums, half_sums, kind):
    """The gradients of `walk`, with the same arguments and more.

    gradient (T, M) is twice that by the readouts; to by_amplitudes the gradient by the amplitudes is added, and to sums (K, L, n,
    R, lanes) and each side's half_sums those of the gates, but for factors.
    """
    where, right, width, rows, by_rows = circuit.where, circuit.bits[1], circuit.width, work.rows, work.by_rows
    both, table = work.both, work.table
    factors = np.empty((amplitudes.shape[1], 3), states.dtype)
    first, last = ends(circuit)
    upper, by_upper = work.halves[0][0, first:last], work.halves[0][1, first:last]
    lower, by_lower = work.halves[1][0, first:last], work.halves[1][1, first:last]
    upper, by_upper = upper.reshape((-1, 1 << circuit.bits[0])), by_upper.reshape((-1, 1 << circuit.bits[0]))
    lower, by_lower = lower.reshape((-1, 1 << right)), by_lower.reshape((-1, 1 << right))
    state, adjoint, room = both[0].reshape(-1), both[1].reshape(-1), work.room[0].reshape(-1)
    for t in range(lo, hi):
        k = t // call.batch
        first_halves(amplitudes[t], k, circuit, call, work, kind)
        by_upper[:], by_lower[:], table[:] = 0, 0, 0
        for w in range(len(circuit.words)):
            a, b, place = circuit.words[w, 0], circuit.words[w, 1], circuit.words[w, 2]
            accumulate(table[a], gradient[t, place] * call.word_signs[k, w], circuit.right_signs[b], kind)
        factors[:] = 0
        for w in range(len(circuit.local_words)):
            bit, letter = circuit.local_words[w, 0], circuit.local_words[w, 1]
            factors[bit, letter] = gradient[t, w] * call.word_signs[k, w]
        for plane in range(states.shape[1]):
            if circuit.wanted:
                observed(
                    both, states[t, plane], where, circuit.parts, circuit.codes, circuit.patterns, factors, circuit.wanted, kind
                )  # fmt: skip
            else:
                scaled(state, states[t, plane].reshape(-1), call.scale[k])
                adjoint[:] = 0
            for f in range(len(circuit.families)):
                measure_back(states[t, plane], k, f, circuit, call, work, gradient[t], kind)
            for s in range(len(circuit.sweeps) - 1, -1, -1):
                if circuit.sweeps[s, 1] == 0:
                    permute(state, room, circuit.moves[1])
                    permute(adjoint, room, circuit.moves[1])
                else:
                    sweep_back(
                        both.ctypes.data, both.shape[1] * BYTES, work.buffer, where, circuit.sweeps[s], circuit.kinds,
                        call.gates[k], circuit.codes, call.back_patterns[k], sums[k], kind,
                    )  # fmt: skip
            lay_out(lower, plane, width, rows)
            by_rows[:] = 0
            begin_back(both[1], upper, rows, by_upper, by_rows, where, right, kind)
            lay_out_back(by_rows, plane, width, by_lower)
        first_halves_back(amplitudes[t], k, circuit, call, work, by_amplitudes[t], half_sums, kind)


@compiled
def measure_back(final, k, f, circuit, call, work, gradient, kind):
    """Add a family's part to the adjoint of a final state (rows, lanes)."""
    l0, l1, w0, w1, turned = five(circuit.families[f])
    room = work.room[0]
    if turned:
        turn_basis(final, room, 0, k, f, circuit, call, work, kind)
    diagonal = work.line
    for i in range(1 << circuit.bits[0]):
        if w1 == w0:
            gather(diagonal, i, circuit.width, call.flips[k], gradient)
        else:
            diagonal[:] = 0
        for a in range(l0, l1):
            accumulate(diagonal, circuit.left_signs[a, i], work.table[a], kind)
        if turned:
            multiply(room, i, diagonal, circuit.where, circuit.bits[1], kind)
        else:
            add_product(work.both[1], work.both[0], i, diagonal, circuit.where, circuit.bits[1], kind)
    if turned:
        turn_basis(room, room, 1, k, f, circuit, call, work, kind)
        add_signed(work.both[1], room, circuit.where, circuit.codes, circuit.signs[f], kind)
