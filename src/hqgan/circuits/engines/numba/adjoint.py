"""Compiled: whole circuits, one after the other: first state, sweeps over the layers, readouts; and back, by the adjoint method.

In both directions `circuit` is a `tables.Circuit`, `call` an `engine.Call`, `work` an `engine.Work`, and `f` numbers a family of
readouts.
"""

from __future__ import annotations

import numpy as np

from hqgan.circuits.engines.numba import elementwise, vectors
from hqgan.circuits.engines.numba.bipartition import backward_halves, last_vectors, simulate_halves
from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import address_of, row_address
from hqgan.circuits.engines.numba.paulis import expectations, expectations_back
from hqgan.circuits.engines.numba.simd import BYTES
from hqgan.circuits.engines.numba.sweeps import Layers, sweep


@compiled
def simulate(lo, hi, amplitudes, circuit, call, states, work, values):
    """Run circuits `lo` to `hi` (exclusive), and write their readouts.

    Args:
        lo: first circuit.
        hi: one behind the last.
        amplitudes: (T, n, 2, 2) by circuit, qubit, value, real or imaginary part, after the encoding.
        circuit: what does not change.
        call: what a call's weights make.
        states: (T or 1, planes, rows, lanes), where final states go, without the last signs and factor unless the readout is
            of single qubits; one after the other into the same if there is only one.
        work: memory to work in.
        values: (T, M) readouts.
    """
    layout, right, kind = circuit.layout, circuit.bits[1], circuit.kind
    upper, lower = last_vectors(circuit, work, 0, 0), last_vectors(circuit, work, 1, 0)
    for t in range(lo, hi):
        k, final = t // call.batch, states[t if len(states) > 1 else 0]
        simulate_halves(amplitudes[t], k, circuit, call, work)
        layers = Layers(circuit.axes, call.gates[k], circuit.codes, call.patterns[k])
        for plane in range(len(final)):
            state = final[plane]
            elementwise.lay_out(lower, plane, circuit.width, work.rows)
            vectors.write_products(state, upper, work.rows, layout, right, kind)
            for s in range(len(circuit.sweeps)):
                group = five_numbers(circuit.sweeps[s])
                if group[1] == 0:
                    elementwise.permute(state.reshape(-1), work.scratch[0].reshape(-1), circuit.moves[0])
                else:
                    at = address_of(state)
                    sweep(at, at, 0, work.sweep_buffer, layout, group, layers, 0, kind)
        if circuit.wanted:
            work.sums[:] = 0
            for state in final:
                expectations(state, circuit, call.closing[k], work.sums)
            for w in range(len(circuit.local_words)):
                bit, letter = circuit.local_words[w, 0], circuit.local_words[w, 1]
                values[t, w] = work.sums[bit, letter].sum() * call.word_signs[k, w]
        for f in range(len(circuit.families)):
            measure(final, k, f, circuit, call, work, values[t])


@compiled
def backward(lo, hi, amplitudes, circuit, call, states, work, wanted, by_amplitudes, sums, half_sums):
    """The gradients of `simulate`, with the same arguments.

    Args:
        lo: first circuit.
        hi: one behind the last.
        amplitudes: (T, n, 2, 2), as `simulate` got them.
        circuit: as there.
        call: as there.
        states: (T, planes, rows, lanes), as `simulate` wrote them.
        work: memory to work in.
        wanted: (T, M) twice the gradient by the readouts.
        by_amplitudes: (T, n, 2, 2), to which the gradient by the amplitudes is added.
        sums: (k, L, n, R, lanes), to which that by the gates is, but for factors.
        half_sums: the same of the gates on each half.
    """
    layout, right, kind = circuit.layout, circuit.bits[1], circuit.kind
    both, table, rows, by_rows = work.both, work.table, work.rows, work.by_rows
    factors = np.empty((amplitudes.shape[1], 3), states.dtype)
    upper, by_upper = last_vectors(circuit, work, 0, 0), last_vectors(circuit, work, 0, 1)
    lower, by_lower = last_vectors(circuit, work, 1, 0), last_vectors(circuit, work, 1, 1)
    state, adjoint, scratch = both[0].reshape(-1), both[1].reshape(-1), work.scratch[0].reshape(-1)
    at = address_of(both)
    for t in range(lo, hi):
        k = t // call.batch
        simulate_halves(amplitudes[t], k, circuit, call, work)
        layers = Layers(circuit.axes, call.gates[k], circuit.codes, call.back_patterns[k])
        by_upper[:], by_lower[:], table[:], factors[:] = 0, 0, 0, 0
        for w in range(len(circuit.words)):
            a, b, place = circuit.words[w, 0], circuit.words[w, 1], circuit.words[w, 2]
            vectors.accumulate(table[a], wanted[t, place] * call.word_signs[k, w], circuit.right_signs[b], kind)
        for w in range(len(circuit.local_words)):
            bit, letter = circuit.local_words[w, 0], circuit.local_words[w, 1]
            factors[bit, letter] = wanted[t, w] * call.word_signs[k, w]
        for plane in range(states.shape[1]):
            final = states[t, plane]
            if circuit.wanted:
                expectations_back(both, final, circuit, factors)
            else:
                elementwise.scaled(state, final.reshape(-1), call.scale[k])
                adjoint[:] = 0
            for f in range(len(circuit.families)):
                measure_back(final, k, f, circuit, call, work, wanted[t])
            for s in range(len(circuit.sweeps) - 1, -1, -1):
                group = five_numbers(circuit.sweeps[s])
                if group[1] == 0:
                    elementwise.permute(state, scratch, circuit.moves[1])
                    elementwise.permute(adjoint, scratch, circuit.moves[1])
                else:
                    gap, added = both.shape[1] * BYTES, address_of(sums[k])
                    sweep(at, at, gap, work.sweep_buffer, layout, group, layers, added, kind)
            elementwise.lay_out(lower, plane, circuit.width, rows)
            by_rows[:] = 0
            vectors.write_products_back(both[1], upper, rows, by_upper, by_rows, layout, right, kind)
            elementwise.lay_out_back(by_rows, plane, circuit.width, by_lower)
        backward_halves(amplitudes[t], k, circuit, call, work, by_amplitudes[t], half_sums)


@compiled
def measure(state, k, f, circuit, call, work, values):
    """Write the readouts of a family: a final state (planes, rows, lanes) to values (M,)."""
    l0, l1, w0, w1, turned = five_numbers(circuit.families[f])
    layout, right, kind = circuit.layout, circuit.bits[1], circuit.kind
    if turned:
        for plane in range(len(state)):
            change_basis(state[plane], work.scratch[plane], 0, k, f, circuit, call, work)
    found, factor = work.scratch if turned else state, call.squares[f, k]
    table, squares = work.table, work.line
    table[l0:l1] = 0
    for i in range(1 << circuit.bits[0]):
        squares[:] = 0
        for plane in range(len(state)):
            numbers = vectors.block(found[plane], i, layout, right)
            vectors.add_product(squares, numbers, numbers, kind)
        if w1 == w0:
            elementwise.write_probabilities(squares, i, circuit.width, factor, call.flips[k], values)
        for a in range(l0, l1):
            vectors.accumulate(table[a], circuit.left_signs[a, i], squares, kind)
    for w in range(w0, w1):
        a, b, place = circuit.words[w, 0], circuit.words[w, 1], circuit.words[w, 2]
        vectors.write_dot(values[place : place + 1], table[a], circuit.right_signs[b], kind)
        values[place] = values[place] * factor * call.word_signs[k, w]


@compiled
def measure_back(final, k, f, circuit, call, work, gradient):
    """Add a family's part to the adjoint of a final state (rows, lanes)."""
    l0, l1, w0, w1, turned = five_numbers(circuit.families[f])
    scratch, diagonal, layout, right, kind = work.scratch[0], work.line, circuit.layout, circuit.bits[1], circuit.kind
    if turned:
        change_basis(final, scratch, 0, k, f, circuit, call, work)
    for i in range(1 << circuit.bits[0]):
        diagonal[:] = 0
        if w1 == w0:
            elementwise.read_probability_gradients(diagonal, i, circuit.width, call.flips[k], gradient)
        for a in range(l0, l1):
            vectors.accumulate(diagonal, circuit.left_signs[a, i], work.table[a], kind)
        if turned:
            numbers = vectors.block(scratch, i, layout, right)
            numbers *= diagonal
        else:
            state, adjoint = (
                vectors.block(work.both[0], i, layout, right),
                vectors.block(work.both[1], i, layout, right),
            )
            vectors.add_product(adjoint, state, diagonal, kind)
    if turned:
        change_basis(scratch, scratch, 1, k, f, circuit, call, work)
        for j in range(len(circuit.codes)):
            place = row_address(j, layout.first_bits) // BYTES
            vectors.add_product(work.both[1, place], scratch[place], circuit.signs[f, 0, circuit.codes[j]], kind)


@compiled
def change_basis(source, target, way, k, f, circuit, call, work):
    """Turn a state (rows, lanes): way 0, by the last signs and then to a family's basis; way 1, back but for the signs."""
    layers = Layers(circuit.basis_axes, circuit.bases[f, way], circuit.codes, call.last[f, k])
    at, to = address_of(source), address_of(target)
    for g in range(len(circuit.groups)):
        start, size = circuit.groups[g, 0], circuit.groups[g, 1]
        signed = 1 if g == 0 and way == 0 else 0
        group = (start, size, 0, 1, signed)
        sweep(to if g else at, to, 0, work.sweep_buffer, circuit.layout, group, layers, 0, circuit.kind)


@compiled
def five_numbers(row):
    """The numbers of a table's row."""
    return row[0], row[1], row[2], row[3], row[4]
