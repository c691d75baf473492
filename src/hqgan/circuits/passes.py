"""Compiled loops over a whole state that rotate nothing; rows and lanes as in `kernels`.

`low` is the number of bits of the first group: basis state k stands in row k + (k >> low).
"""

from __future__ import annotations

from numba import njit

TILE = 16
"""Rows turned into columns at a time; no padding stands among them, since a first group has at least 2^5 rows."""


@njit(nogil=True, cache=True)
def copy(target, source, low, signs, factor):
    """Rows of source times signs (2^n,) and factor, into target."""
    for k in range(len(signs)):
        row = k + (k >> low)
        value = signs[k] * factor
        for lane in range(source.shape[1]):
            target[row, lane] = source[row, lane] * value


@njit(nogil=True, cache=True)
def probabilities(state, low, lanes_are_complex, factor, out):
    """Write |amplitude|^2 times factor into out (samples, 2^n)."""
    samples = state.shape[1] // 2 if lanes_are_complex else state.shape[1]
    tile = min(TILE, out.shape[1])
    for first in range(0, out.shape[1], tile):
        row = first + (first >> low)
        for s in range(len(out)):
            for k in range(tile):
                value = state[row + k, s] ** 2
                if lanes_are_complex:
                    value += state[row + k, s + samples] ** 2
                out[s, first + k] = value * factor


@njit(nogil=True, cache=True)
def weigh(state, low, lanes_are_complex, diagonal):
    """Multiply each amplitude by its sample's diagonal (samples, 2^n), in place; lanes without a sample are nought."""
    samples = state.shape[1] // 2 if lanes_are_complex else state.shape[1]
    tile = min(TILE, diagonal.shape[1])
    for first in range(0, diagonal.shape[1], tile):
        row = first + (first >> low)
        for s in range(len(diagonal)):
            for k in range(tile):
                value = diagonal[s, first + k]
                state[row + k, s] *= value
                if lanes_are_complex:
                    state[row + k, s + samples] *= value


@njit(nogil=True, cache=True)
def permute(target, source, low, sources):
    """Row k of target is row sources[k] of source."""
    for k in range(len(sources)):
        row, other = k + (k >> low), sources[k] + (sources[k] >> low)
        for lane in range(source.shape[1]):
            target[row, lane] = source[other, lane]


@njit(nogil=True, cache=True)
def add(target, source, low, signs, factor):
    """Add rows of source times signs (2^n,) and factor to target."""
    for k in range(len(signs)):
        row = k + (k >> low)
        value = signs[k] * factor
        for lane in range(source.shape[1]):
            target[row, lane] += source[row, lane] * value
