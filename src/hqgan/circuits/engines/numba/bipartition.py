"""Compiled: the first layers of a circuit on two halves of its bits, and back; `branches` explains why.

A half's vectors stand in `Work.halves`, side 0 the upper one: the product that the encoding makes, then after each layer all of
its branches, each with its real part before its imaginary one.
"""

from __future__ import annotations

from hqgan.circuits.engines.numba.elementwise import scaled
from hqgan.circuits.engines.numba.jit import compiled
from hqgan.circuits.engines.numba.layout import address_of
from hqgan.circuits.engines.numba.structs import Layers, Layout
from hqgan.circuits.engines.numba.sweeps import sweep, undo_sweep
from hqgan.circuits.engines.numba.vectors import add_product_to, write_product


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
def side_of(circuit, side):
    """The lowest bit of a half, and its bits."""
    return (0 if side else circuit.bits[1]), circuit.bits[side]


@compiled
def last_branches(circuit):
    """Where in a half's vectors the last layer's begin and end."""
    first, count = 0, 1
    for _ in range(circuit.split_layers):
        first, count = first + count, count * circuit.masks[0].shape[0]
    return first, first + count


@compiled
def layout_of(circuit, side, count):
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
        vectors, masks = work.halves[side][0], circuit.masks[side]
        layers = Layers(circuit.axes, call.half_gates[side][k], circuit.codes, call.patterns[k])
        lowest, bits = side_of(circuit, side)
        product(amplitudes, lowest, bits, vectors[0])
        before, count = 0, 1
        for layer in range(circuit.split_layers):
            here, many = before + count, count * len(masks)
            for e in range(many):
                for part in range(2):
                    write_product(
                        vectors[here + e, part],
                        vectors[before + e // len(masks), part],
                        masks[e % len(masks)],
                        circuit.kind,
                    )
            flat = vectors[here : here + many].reshape(-1)
            rows = flat.reshape((-1, work.both.shape[2]))
            sweep(
                rows, rows, work.sweep_buffer[0], layout_of(circuit, side, 2 * many), circuit.half_sweeps[side, layer], layers,
                circuit.kind,
            )  # fmt: skip
            scaled(flat, flat, call.half_scales[side, k, layer])
            before, count = here, many


@compiled
def backward_halves(amplitudes, k, circuit, call, work, by_amplitudes, sums):
    """From the gradient by the last layer's vectors to that by amplitudes, and the gates' gradients in sums of each side."""
    first, _ = last_branches(circuit)
    for side in range(2):
        vectors, by, masks = work.halves[side][0], work.halves[side][1], circuit.masks[side]
        layers = Layers(circuit.axes, call.half_gates[side][k], circuit.codes, call.patterns[k])
        lowest, bits = side_of(circuit, side)
        gap = address_of(by) - address_of(vectors)
        by[:first] = 0
        here = first
        for layer in range(circuit.split_layers - 1, -1, -1):
            count = len(masks) ** layer
            before, many = here - count, count * len(masks)
            undo_sweep(
                address_of(vectors[here:]), gap, work.sweep_buffer, layout_of(circuit, side, 2 * many),
                circuit.half_sweeps[side, layer], layers, sums[side][k], circuit.kind,
            )  # fmt: skip
            flat = by[here : here + many].reshape(-1)
            scaled(flat, flat, call.half_scales[side, k, layer])
            for e in range(many):
                for part in range(2):
                    add_product_to(
                        by[before + e // len(masks), part], by[here + e, part], masks[e % len(masks)], circuit.kind
                    )
            here = before
        product_back(amplitudes, lowest, bits, vectors[0], by[0], by_amplitudes)
