"""What the compiled engine works out once for an ansatz, as tables of numbers that its loops can read."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.numba.branches import split_of
from hqgan.circuits.engines.numba.kernels import HELD
from hqgan.circuits.engines.numba.layout import Layout
from hqgan.circuits.engines.numba.simd import lanes as lanes_of
from hqgan.circuits.engines.numba.sweeps import Kind, loop
from hqgan.circuits.engines.plan import Plan, even_groups, halved, parity_signs, sorted_words

GROUP = 8
"""Most bits of a sweep: 2^8 rows fit into a core's first cache."""

LARGE, APART = 1024, 40
"""From 1024 rows on, a state takes 40 rows more than whole pages of memory. Otherwise each row of its adjoint would lie a whole
number of pages behind its own, and a core that loads one just after storing the other waits: it compares only the last 12 bits
of addresses (4K aliasing)."""

AXES = {"ry": 0, "rx": 1, "rz": 2}
TO_Z = {"X": (-1, 0), "Y": (0, 1), "Z": (0, 0)}
"""Tangents of half the angles about y and x that turn X, Y or Z into Z, so that basis states' probabilities measure it."""


class Circuit(NamedTuple):
    """What the compiled functions need to know of a plan. Bits count from the lowest; very small circuits get idle bits above."""

    layout: Layout
    kind: Kind
    bits: tuple[int, int]  # of the upper and the lower half, of which the first state and signs of words are made
    width: int  # real parts in a row that holds imaginary parts too, else 0
    split_layers: int  # whose rotations are taken on halves before they meet
    last_branches: tuple[int, int]  # where in a half's vectors those of the last such layer begin and end
    masks: tuple[np.ndarray, np.ndarray]  # (b, 2^bits) of the CZs before each such layer, see `branches`
    sweeps: np.ndarray  # (S, 5) as in `sweeps.sweep`; a size of 0 stands for a layer's permutation
    codes: np.ndarray  # (row count,) as in `sweeps.Layers`
    moves: np.ndarray  # (2, numbers) of a layer's permutation and its inverse, as sources; empty without
    groups: np.ndarray  # (groups, 2) first bit among the rows, and bits, of all sweeps of one layer
    axes: np.ndarray  # (R,) of the rotations, as in `sweeps.Layers`
    basis_axes: np.ndarray  # the same of the rotations to a family's basis
    bases: np.ndarray  # (F, 2, 1, n, 1 or 2) their tangents, there and back
    signs: np.ndarray  # (F, 1, patterns, lanes): the last signs, and what rotations to a family's basis lack
    patterns: np.ndarray  # (patterns, lanes) signs of each code
    families: np.ndarray  # (F, 5): left_signs from, to; words from, to, the same for probabilities; whether turned
    left_signs: np.ndarray  # (l, upper halves) of the words of all families
    right_signs: np.ndarray  # (r, numbers of a lower half)
    parts: np.ndarray  # (parts, 2) first bit among the rows, and bits; four bits only if X alone is wanted
    # Of X, Y, Z as 1, 2, 4: their sum; 0 where the readout is not of single qubits: then there are families.
    wanted: int
    local_words: np.ndarray  # (M, 2): bit, and 0, 1, 2 for X, Y, Z
    words: np.ndarray  # (W, 3), by family: which of the left signs, which of the right ones, place in the readout


class Tables(NamedTuple):
    """A circuit, and what else is worked out once for its calls."""

    circuit: Circuit
    n: int  # bits, idle ones included
    rows: int  # of a state, empty ones included
    lanes: int
    planes: int  # 2 if real and imaginary part are two real vectors
    earlier: np.ndarray  # (layers, n R, n R) 1 where a layer's second rotation is undone before the first's gradient
    lacking: np.ndarray  # (F,) the factor that rotations to each family's basis lack


@lru_cache(maxsize=32)
def tables_of(plan: Plan) -> Tables:
    """The tables of a plan."""
    ansatz = plan.ansatz
    dtype = np.dtype(np.float64 if plan.dtype.to_real() == torch.float64 else np.float32)
    complex_ = plan.dtype.is_complex
    lanes, bits = lanes_of(dtype, complex_)
    n = max(ansatz.qubits, bits + 1)
    row_bits = n - bits
    groups = [(start, min(GROUP, row_bits - start)) for start in range(0, row_bits, GROUP)]
    low = groups[0][1]
    right = min(max(bits, n // 2), bits + low)
    split = split_of(plan, right, range(bits + 1, bits + GROUP + 1))
    sweeps, undone = _sweeps(groups, bits, ansatz.layers - split.layers, plan.moves is not None)
    sides = n - right, right
    split_layers = split.layers - plan.absorbed
    upper, lower = (np.empty((1, 0)),) * 2 if split.masks is None else (mask.numpy() for mask in split.masks)
    branches = [len(upper) ** layer for layer in range(split_layers + 1)]
    width = lanes // 2 if complex_ else 0
    codes, patterns = _patterns(plan, bits, row_bits, lanes, dtype)
    local_words = _local_words(ansatz)
    families, bases, left_signs, right_signs, words, lacking = _families(ansatz, n, right, width, dtype)
    wanted = int(np.bitwise_or.reduce(1 << local_words[:, 1], initial=0))
    parts = []
    for start, count in groups:
        sizes = even_groups(count, 4 if wanted == 1 else 3)
        parts += [(start + sum(sizes[:i]), size) for i, size in enumerate(sizes)]
    state_type = np.result_type(dtype, np.complex64) if complex_ else dtype
    circuit = Circuit(
        layout=Layout(bits, row_bits, low),
        kind=Kind(np.empty(0, state_type), loop(state_type, False).address, loop(state_type, True).address),
        bits=sides,
        width=width,
        split_layers=split_layers,
        last_branches=(sum(branches[:-1]), sum(branches)),
        masks=(copied(upper, dtype), copied(lower, dtype)),
        sweeps=sweeps,
        codes=codes,
        moves=_moves(plan, n, bits, low, lanes, width),
        groups=np.array(groups),
        axes=np.array([AXES[gate] for gate in ansatz.rotations] if complex_ else [0], np.uint8),
        basis_axes=np.arange(bases.shape[-1], dtype=np.uint8),
        bases=bases,
        signs=copied(lacking[:, None, None, None] * patterns, dtype),
        patterns=copied(patterns, dtype),
        families=families,
        left_signs=left_signs,
        right_signs=right_signs,
        parts=np.array(parts),
        wanted=wanted,
        local_words=local_words,
        words=words,
    )
    rows = 2**row_bits + (2**row_bits - 1 >> low)
    if rows >= LARGE:
        rows += (APART - rows) % 64
    halves = [
        [[lowest + b for b in part] for part in _undone((0, side - bits), bits)]
        for lowest, side in zip((right, 0), sides, strict=True)
    ]
    orders = [halves] * split_layers + [[order] for order in undone]
    return Tables(circuit, n, rows, lanes, plan.parts, _earlier(orders, n, len(circuit.axes)), lacking)


def _sweeps(
    groups: list[tuple[int, int]], bits: int, layers: int, moves: bool
) -> tuple[np.ndarray, list[list[list[int]]]]:
    """Each layer goes through the groups in the reverse order of the one before, so that two take one sweep where they meet."""
    pause = [0] * 5
    found, undone = [pause] if moves else [], []
    order = list(groups)
    for layer in range(layers):
        for place, (start, size) in enumerate(order):
            last = found[-1] if found else pause
            if last[:2] == [start, size]:
                last[3] += 1
            else:
                found.append([start, size, layer, 1, int(place == 0)])
        undone.append([each for group in reversed(order) for each in _undone(group, bits)])
        order.reverse()
        if moves:
            found.append(pause)
    return np.array(found, np.int64).reshape(-1, 5), undone


def _undone(group: tuple[int, int], bits: int) -> list[list[int]]:
    """The bits of a group, its first and their count, as `kernels` undoes them: one by one, or all that it holds apart."""
    start, size = group
    if start == 0:  # takes the lanes' bits with it
        return [[b] for b in range(bits + size)]
    found, first = [], start + bits
    for width in even_groups(size, HELD):
        part = list(range(first, first + width))
        found += [part] if width == HELD else [[b] for b in part]
        first += width
    return found


def _earlier(orders: list[list[list[list[int]]]], n: int, each: int) -> np.ndarray:
    """Of layers whose bits, of `each` gates, are undone in one order or, on halves, in two that know nothing of each other."""
    found = np.zeros((len(orders), n * each, n * each))
    for layer, chains in enumerate(orders):
        for chain in chains:
            before: list[int] = []
            for bits in chain:
                for r in reversed(range(each)):
                    now = [bit * each + r for bit in bits]
                    found[layer, np.array(now)[:, None], before] = 1
                    before += now
    return found


def _patterns(plan: Plan, bits: int, row_bits: int, lanes: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Each row's code, and the signs of each code."""
    if plan.signs is None:
        return np.zeros(2**row_bits, np.uint8), np.ones((1, lanes), dtype)
    # Idle bits repeat what is below them.
    odd = np.resize(plan.signs.numpy() < 0, (2**row_bits, 2**bits)).astype(np.int64)
    among = odd[0]
    # CZs make a quadratic form: the rest is linear in the lane's bits, a parity of those that `touched` has.
    rest = odd ^ odd[:, :1] ^ among
    touched = sum(rest[:, 1 << b] << b for b in range(bits)) if bits else 0
    code, lane = np.arange(2 ** (bits + 1))[:, None], np.arange(2**bits)
    parity = sum((code & lane) >> b & 1 for b in range(bits)) + (code >> bits)
    signs = 1 - 2 * ((parity + among) & 1)
    return (touched | odd[:, 0] << bits).astype(np.uint8), np.tile(signs, lanes // 2**bits).astype(dtype)


def _moves(plan: Plan, n: int, bits: int, low: int, lanes: int, width: int) -> np.ndarray:
    if plan.moves is None:
        return np.empty((2, 0), np.int32)
    index = np.arange(2**n)
    row, lane = index >> bits, index & (2**bits - 1)
    place = (row + (row >> low)) * lanes + lane
    moves = np.arange((int(row[-1]) + int(row[-1] >> low) + 1) * lanes, dtype=np.int32)[None].repeat(2, 0)
    inner = 2**plan.ansatz.qubits - 1
    for into, source in zip(moves, plan.moves, strict=True):
        origin = place[source.numpy()[index & inner] | index & ~inner]
        into[place] = origin
        if width:
            into[place + width] = origin + width
    return moves


def _local_words(ansatz: Ansatz) -> np.ndarray:
    """(M, 2) bit and letter of a readout of single qubits; else nothing."""
    if ansatz.probabilities or any(len(word) > 1 for word in ansatz.words):
        return np.zeros((0, 2), np.int64)
    return np.array([(ansatz.qubits - 1 - qubit, "XYZ".index(letter)) for ((qubit, letter),) in ansatz.words])


def _families(ansatz: Ansatz, n: int, right: int, width: int, dtype: Any) -> tuple[Any, ...]:
    """The readout's families, with signs in the order of a state's numbers."""
    found = [] if len(_local_words(ansatz)) else sorted_words(ansatz)
    bases = np.zeros((len(found), 2, 1, n, 2 if width else 1), dtype)
    families: list[tuple[int, ...]] = []
    words: list[tuple[int, ...]] = []
    left: list[int] = []  # masks, as lower
    lower: list[int] = []
    turned: list[int] = []
    for number, (letters, places) in enumerate(found):
        for qubit, letter in enumerate(letters):
            bases[number, 0, 0, ansatz.qubits - 1 - qubit] = TO_Z[letter][: bases.shape[-1]]
        turned.append(sum(letter != "Z" for letter in letters))
        masks = [sum(1 << (ansatz.qubits - 1 - q) for q, _ in ansatz.words[place]) for place in places]
        upper, lows, which = halved(masks, right)
        first = len(words)
        words += [(len(left) + a, len(lower) + b, place) for (a, b), place in zip(which, places, strict=True)]
        families.append((len(left), len(left) + len(upper), first, len(words), turned[-1] > 0))
        left += upper
        lower += lows
    bases[:, 1] = -bases[:, 0]
    lower_signs = parity_signs(lower, right).numpy().astype(dtype)
    if width and words:
        lower_signs = lower_signs.reshape(-1, 2**right // width, 1, width).repeat(2, 2).reshape(len(lower), -1)
    return (
        np.array(families, np.int64).reshape(-1, 5),
        bases,
        parity_signs(left, n - right).numpy().astype(dtype),
        copied(lower_signs, dtype),
        np.array(words, np.int64).reshape(-1, 3),
        np.sqrt(0.5) ** np.array(turned, int),
    )


def copied(values: np.ndarray, dtype: Any) -> np.ndarray:
    """The same numbers, of a type, in an array that starts at a row's boundary; torch's allocator sees to that."""
    return torch.tensor(values, dtype=torch.float64 if np.dtype(dtype) == np.float64 else torch.float32).numpy()
