"""Compiled: whole circuits, one after the other: first state, sweeps over the layers, readouts."""

from __future__ import annotations

from hqgan.circuits.engines.numba.bipartition import last_branches, simulate_halves
from hqgan.circuits.engines.numba.elementwise import lay_out, permute, write_probabilities
from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.paulis import expectations
from hqgan.circuits.engines.numba.structs import Layers
from hqgan.circuits.engines.numba.sweeps import sweep
from hqgan.circuits.engines.numba.vectors import accumulate, add_squares, dot, write_products


@compiled
def simulate(lo, hi, amplitudes, circuit, call, states, work, values):
    """Run circuits `lo` to `hi` (exclusive), and write their readouts.

    Args:
        lo: first circuit.
        hi: one behind the last.
        amplitudes: (T, n, 2, 2) by circuit, qubit, value, real or imaginary part, after the encoding.
        circuit: what does not change, a `tables.Circuit`.
        call: what a call's weights make, an `engine.Call`.
        states: (T or 1, planes, rows, lanes), where final states go, without the last signs and factor unless the readout is
            of single qubits; one after the other into the same if there is only one.
        work: memory to work in, an `engine.Work`.
        values: (T, M) readouts.
    """
    layout, right, rows, kind = circuit.layout, circuit.bits[1], work.rows, circuit.kind
    first, last = last_branches(circuit)
    upper = work.halves[0][0, first:last].reshape((-1, 1 << circuit.bits[0]))
    lower = work.halves[1][0, first:last].reshape((-1, 1 << right))
    for t in range(lo, hi):
        k, slot = t // call.batch, t if len(states) > 1 else 0
        simulate_halves(amplitudes[t], k, circuit, call, work)
        layers = Layers(circuit.axes, call.gates[k], circuit.codes, call.patterns[k])
        for plane in range(states.shape[1]):
            state = states[slot, plane]
            flat = state.reshape(-1)
            lay_out(lower, plane, circuit.width, rows)
            write_products(state, upper, rows, layout, right, kind)
            for group in circuit.sweeps:
                if group[1] == 0:
                    permute(flat, work.scratch[0].reshape(-1), circuit.moves[0])
                else:
                    sweep(state, state, work.sweep_buffer[0], layout, group, layers, kind)
        if circuit.wanted:
            work.sums[:] = 0
            for plane in range(states.shape[1]):
                expectations(
                    states[slot, plane], layout, circuit.parts, circuit.codes, call.closing[k], circuit.wanted, work.sums, kind
                )  # fmt: skip
            for w in range(len(circuit.local_words)):
                bit, letter = circuit.local_words[w, 0], circuit.local_words[w, 1]
                values[t, w] = work.sums[bit, letter].sum() * call.word_signs[k, w]
        for f in range(len(circuit.families)):
            measure(states[slot], k, f, circuit, call, work, values[t])


@compiled
def measure(state, k, f, circuit, call, work, values):
    """Write the readouts of a family: a final state (planes, rows, lanes) to values (M,)."""
    l0, l1, w0, w1, turned = five(circuit.families[f])
    kind = circuit.kind
    if turned:
        for plane in range(len(state)):
            change_basis(state[plane], work.scratch[plane], 0, k, f, circuit, call, work)
    found, factor = work.scratch if turned else state, call.squares[f, k]
    table, squares = work.table, work.line
    table[l0:l1] = 0
    for i in range(1 << circuit.bits[0]):
        squares[:] = 0
        for plane in range(len(state)):
            add_squares(squares, found[plane], i, circuit.layout, circuit.bits[1], kind)
        if w1 == w0:
            write_probabilities(squares, i, circuit.width, factor, call.flips[k], values)
        for a in range(l0, l1):
            accumulate(table[a], circuit.left_signs[a, i], squares, kind)
    for w in range(w0, w1):
        a, b, place = circuit.words[w, 0], circuit.words[w, 1], circuit.words[w, 2]
        values[place] = dot(table[a], circuit.right_signs[b], kind) * factor * call.word_signs[k, w]


@compiled
def change_basis(source, target, way, k, f, circuit, call, work):
    """Turn a state (rows, lanes): way 0, by the last signs and then to a family's basis; way 1, back but for the signs."""
    groups = circuit.back if way else circuit.there
    layers = Layers(circuit.basis_axes, circuit.bases[f, way], circuit.codes, call.last[f, k])
    for g in range(len(groups)):
        sweep(target if g else source, target, work.sweep_buffer[0], circuit.layout, groups[g], layers, circuit.kind)


@compiled
def five(row):
    """The numbers of a table's row."""
    return row[0], row[1], row[2], row[3], row[4]
