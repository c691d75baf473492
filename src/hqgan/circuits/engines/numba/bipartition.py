"""Compiled: the first layers of a circuit on two halves of its bits, and back; `branches` explains why.

A half's vectors stand in `Work.halves`, side 0 the upper one: the product that the encoding makes, then after each layer all of
its branches, each with its real part before its imaginary one.
"""

from __future__ import annotations

from hqgan.circuits.engines.numba.elementwise import scaled
from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import Layout, address_of
from hqgan.circuits.engines.numba.sweeps import Layers, sweep
from hqgan.circuits.engines.numba.vectors import add_product


@compiled
def product(amplitudes, first, count, out):
    """Write the product of bits `first` to `first + count` into real and imaginary parts (2, 2^count).

    amplitudes: (n, 2, 2) by qubit, value, part; the last qubit is the lowest bit.
    """
    re, im = out[0], out[1]
    re[0], im[0] = 1, 0
    for b in range(count):
        size = 1 << b
        qubit = len(amplitudes) - 1 - first - b
        zero, one = amplitudes[qubit, 0], amplitudes[qubit, 1]
        x0, y0, x1, y1 = zero[0], zero[1], one[0], one[1]
        for i in range(size):
            x, y = re[i], im[i]
            re[i + size], im[i + size] = x * x1 - y * y1, x * y1 + y * x1
            re[i], im[i] = x * x0 - y * y0, x * y0 + y * x0


@compiled
def product_back(amplitudes, first, count, out, by_out, by):
    """Add the gradient by amplitudes to `by`, given that by the product; uses out and by_out (2, 2^count) up."""
    re, im, by_re, by_im = out[0], out[1], by_out[0], by_out[1]
    for b in range(count - 1, -1, -1):
        size = 1 << b
        product(amplitudes, first, b, out)
        qubit = len(amplitudes) - 1 - first - b
        zero, one = amplitudes[qubit, 0], amplitudes[qubit, 1]
        x0, y0, x1, y1 = zero[0], zero[1], one[0], one[1]
        for i in range(size):
            x, y = re[i], im[i]
            u0, v0, u1, v1 = by_re[i], by_im[i], by_re[i + size], by_im[i + size]
            by[qubit, 0, 0] += u0 * x + v0 * y
            by[qubit, 0, 1] += v0 * x - u0 * y
            by[qubit, 1, 0] += u1 * x + v1 * y
            by[qubit, 1, 1] += v1 * x - u1 * y
            by_re[i] = u0 * x0 + v0 * y0 + u1 * x1 + v1 * y1
            by_im[i] = v0 * x0 - u0 * y0 + v1 * x1 - u1 * y1


@compiled
def last_vectors(circuit, work, side, number):
    """A half's vectors (number 0) of the last layer's branches, or their gradients (1), as (2e, 2^bits)."""
    first, last = circuit.last_branches
    return work.halves[side][number, first:last].reshape((-1, 1 << circuit.bits[side]))


@compiled
def half_layout(circuit, side, count):
    """How `count` vectors of a half stand in rows: like one state, without empty rows."""
    lane_bits = circuit.layout.lane_bits
    bits = circuit.bits[side] - lane_bits
    while count > 1:
        bits, count = bits + 1, count // 2
    return Layout(lane_bits, bits, bits)


@compiled
def simulate_halves(amplitudes, k, circuit, call, work):
    """Fill the vectors of `work.halves` from a circuit's amplitudes (n, 2, 2)."""
    for side in range(2):
        vectors, masks, bits = work.halves[side][0], circuit.masks[side], circuit.bits[side]
        product(amplitudes, 0 if side else circuit.bits[1], bits, vectors[0])
        layers = Layers(circuit.axes, call.half_gates[side][k], circuit.codes, call.patterns[k])
        before, count = 0, 1
        for layer in range(circuit.split_layers):
            here, many = before + count, count * len(masks)
            for e in range(many):
                for part in range(2):
                    vector = vectors[here + e, part]
                    vector[:] = 0
                    add_product(vector, vectors[before + e // len(masks), part], masks[e % len(masks)], circuit.kind)
            group, layout = (0, bits - circuit.layout.lane_bits, layer, 1, 0), half_layout(circuit, side, 2 * many)
            at = address_of(vectors[here:])
            sweep(at, at, 0, work.sweep_buffer, layout, group, layers, 0, circuit.kind)
            flat = vectors[here : here + many].reshape(-1)
            scaled(flat, flat, call.half_scales[side, k, layer])
            before, count = here, many


@compiled
def backward_halves(amplitudes, k, circuit, call, work, by_amplitudes, sums):
    """From the gradient by the last layer's vectors to that by amplitudes, and the gates' gradients in sums of each side."""
    for side in range(2):
        vectors, by, masks, bits = work.halves[side][0], work.halves[side][1], circuit.masks[side], circuit.bits[side]
        layers = Layers(circuit.axes, call.half_gates[side][k], circuit.codes, call.patterns[k])
        gap = address_of(by) - address_of(vectors)
        here = circuit.last_branches[0]
        by[:here] = 0
        for layer in range(circuit.split_layers - 1, -1, -1):
            count = len(masks) ** layer
            before, many = here - count, count * len(masks)
            group, layout = (0, bits - circuit.layout.lane_bits, layer, 1, 0), half_layout(circuit, side, 2 * many)
            at, added = address_of(vectors[here:]), address_of(sums[side][k])
            sweep(at, at, gap, work.sweep_buffer, layout, group, layers, added, circuit.kind)
            flat = by[here : here + many].reshape(-1)
            scaled(flat, flat, call.half_scales[side, k, layer])
            for e in range(many):
                for part in range(2):
                    target = by[before + e // len(masks), part]
                    add_product(target, by[here + e, part], masks[e % len(masks)], circuit.kind)
            here = before
        product_back(amplitudes, 0 if side else circuit.bits[1], bits, vectors[0], by[0], by_amplitudes)
