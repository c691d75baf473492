"""Compiled: the gradients of whole circuits by the adjoint method: each is undone from its final state."""

from __future__ import annotations

import numpy as np

from hqgan.circuits.engines.numba.bipartition import backward_halves, last_branches, simulate_halves
from hqgan.circuits.engines.numba.elementwise import lay_out, lay_out_back, permute, read_probability_gradients, scaled
from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import address_of
from hqgan.circuits.engines.numba.paulis import expectations_back
from hqgan.circuits.engines.numba.simd import BYTES
from hqgan.circuits.engines.numba.simulate import change_basis, five
from hqgan.circuits.engines.numba.structs import Layers
from hqgan.circuits.engines.numba.sweeps import undo_sweep
from hqgan.circuits.engines.numba.vectors import accumulate, add_product, add_signed, multiply, write_products_back


@compiled
def backward(lo, hi, amplitudes, circuit, call, states, work, gradients):
    """The gradients of `simulate`, with the same arguments.

    Args:
        lo: first circuit.
        hi: one behind the last.
        amplitudes: (T, n, 2, 2), as `simulate` got them.
        circuit: a `tables.Circuit`.
        call: an `engine.Call`.
        states: (T, planes, rows, lanes), as `simulate` wrote them.
        work: an `engine.Work`.
        gradients: an `engine.Gradients`, which is read from and written to.
    """
    layout, right, width, rows, by_rows = circuit.layout, circuit.bits[1], circuit.width, work.rows, work.by_rows
    both, table, kind = work.both, work.table, circuit.kind
    factors = np.empty((amplitudes.shape[1], 3), states.dtype)
    first, last = last_branches(circuit)
    upper, by_upper = work.halves[0][0, first:last], work.halves[0][1, first:last]
    lower, by_lower = work.halves[1][0, first:last], work.halves[1][1, first:last]
    upper, by_upper = upper.reshape((-1, 1 << circuit.bits[0])), by_upper.reshape((-1, 1 << circuit.bits[0]))
    lower, by_lower = lower.reshape((-1, 1 << right)), by_lower.reshape((-1, 1 << right))
    state, adjoint, scratch = both[0].reshape(-1), both[1].reshape(-1), work.scratch[0].reshape(-1)
    for t in range(lo, hi):
        k, wanted = t // call.batch, gradients.readouts[t]
        simulate_halves(amplitudes[t], k, circuit, call, work)
        layers = Layers(circuit.axes, call.gates[k], circuit.codes, call.back_patterns[k])
        by_upper[:], by_lower[:], table[:] = 0, 0, 0
        for w in range(len(circuit.words)):
            a, b, place = circuit.words[w, 0], circuit.words[w, 1], circuit.words[w, 2]
            accumulate(table[a], wanted[place] * call.word_signs[k, w], circuit.right_signs[b], kind)
        factors[:] = 0
        for w in range(len(circuit.local_words)):
            bit, letter = circuit.local_words[w, 0], circuit.local_words[w, 1]
            factors[bit, letter] = wanted[w] * call.word_signs[k, w]
        for plane in range(states.shape[1]):
            if circuit.wanted:
                expectations_back(
                    both, states[t, plane], layout, circuit.parts, circuit.codes, circuit.patterns, factors, circuit.wanted, kind
                )  # fmt: skip
            else:
                scaled(state, states[t, plane].reshape(-1), call.scale[k])
                adjoint[:] = 0
            for f in range(len(circuit.families)):
                measure_back(states[t, plane], k, f, circuit, call, work, wanted)
            for s in range(len(circuit.sweeps) - 1, -1, -1):
                if circuit.sweeps[s, 1] == 0:
                    permute(state, scratch, circuit.moves[1])
                    permute(adjoint, scratch, circuit.moves[1])
                else:
                    undo_sweep(
                        address_of(both), both.shape[1] * BYTES, work.sweep_buffer, layout, circuit.sweeps[s], layers,
                        gradients.gates[k], kind,
                    )  # fmt: skip
            lay_out(lower, plane, width, rows)
            by_rows[:] = 0
            write_products_back(both[1], upper, rows, by_upper, by_rows, layout, right, kind)
            lay_out_back(by_rows, plane, width, by_lower)
        backward_halves(amplitudes[t], k, circuit, call, work, gradients.amplitudes[t], gradients.half_gates)


@compiled
def measure_back(final, k, f, circuit, call, work, gradient):
    """Add a family's part to the adjoint of a final state (rows, lanes)."""
    l0, l1, w0, w1, turned = five(circuit.families[f])
    scratch, diagonal, layout, right, kind = work.scratch[0], work.line, circuit.layout, circuit.bits[1], circuit.kind
    if turned:
        change_basis(final, scratch, 0, k, f, circuit, call, work)
    for i in range(1 << circuit.bits[0]):
        if w1 == w0:
            read_probability_gradients(diagonal, i, circuit.width, call.flips[k], gradient)
        else:
            diagonal[:] = 0
        for a in range(l0, l1):
            accumulate(diagonal, circuit.left_signs[a, i], work.table[a], kind)
        if turned:
            multiply(scratch, i, diagonal, layout, right, kind)
        else:
            add_product(work.both[1], work.both[0], i, diagonal, layout, right, kind)
    if turned:
        change_basis(scratch, scratch, 1, k, f, circuit, call, work)
        add_signed(work.both[1], scratch, layout, circuit.codes, circuit.signs[f], kind)
