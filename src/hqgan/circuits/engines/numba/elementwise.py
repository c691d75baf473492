"""Compiled loops over single numbers of a state: layouts, permutations, probabilities.

LAYOUT.md shows how a state stands in rows. Where rows do not matter, the memory of a state is used as one long vector; what
its empty rows hold does not matter either.
"""

from __future__ import annotations

from hqgan.circuits.engines.numba.jit import compiled


@compiled
def lay_out(half, plane, width, out):
    """Write the lower halves of branches so that a block of the state is a sum over rows, each times a number of the upper half.

    Args:
        half: (2e, 2^bits), each branch's real part before its imaginary one.
        plane: 0 for the state's real part, 1 for the imaginary one, where they are apart.
        width: real parts of a row that holds imaginary parts too, else 0.
        out: (2e, numbers of a block).
    """
    for r in range(0, len(half), 2):
        re, im, u, v = half[r], half[r + 1], out[r], out[r + 1]
        if width == 0:
            for i in range(len(re)):
                u[i], v[i] = (re[i], -im[i]) if plane == 0 else (im[i], re[i])
        else:
            for i in range(len(re)):
                at = i // width * 2 * width + i % width
                u[at], u[at + width], v[at], v[at + width] = re[i], im[i], -im[i], re[i]


@compiled
def lay_out_back(by_out, plane, width, by_half):
    """Add the gradient by the lower halves, given that by what `lay_out` writes."""
    for r in range(0, len(by_half), 2):
        by_u, by_v, by_re, by_im = by_out[r], by_out[r + 1], by_half[r], by_half[r + 1]
        if width == 0:
            for i in range(len(by_re)):
                by_re[i] += by_u[i] if plane == 0 else by_v[i]
                by_im[i] += -by_v[i] if plane == 0 else by_u[i]
        else:
            for i in range(len(by_re)):
                at = i // width * 2 * width + i % width
                by_re[i] += by_u[at] + by_v[at + width]
                by_im[i] += by_u[at + width] - by_v[at]


@compiled
def scaled(target, source, factor):
    """Target is the source times a factor."""
    for i in range(len(target)):
        target[i] = source[i] * factor


@compiled
def permute(state, scratch, moves):
    """Number i of a state becomes what number moves[i] was."""
    for i in range(len(moves)):
        scratch[i] = state[moves[i]]
    state[: len(moves)] = scratch[: len(moves)]


@compiled
def write_probabilities(squares, i, width, factor, flips, values):
    """Write a block's probabilities; flips: bits of a basis index that are inverted."""
    count = len(squares) // 2 if width else len(squares)
    for x in range(min(count, len(values) - i * count)):
        at = x // width * 2 * width + x % width if width else x
        total = squares[at] + squares[at + width] if width else squares[at]
        values[(i * count + x) ^ flips] = total * factor


@compiled
def read_probability_gradients(diagonal, i, width, flips, gradient):
    """Read a block's gradients by its probabilities into zeros, the reverse of `write_probabilities`."""
    count = len(diagonal) // 2 if width else len(diagonal)
    for x in range(min(count, len(gradient) - i * count)):
        at = x // width * 2 * width + x % width if width else x
        diagonal[at] = diagonal[at + width] = gradient[(i * count + x) ^ flips]
