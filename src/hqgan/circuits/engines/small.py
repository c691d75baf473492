"""The engine for small circuits on a CPU: as many circuits at once as a register has lanes, gate by gate.

A state of eight qubits for sixteen circuits stays in a core's cache, and no gate has to move numbers within a register.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.numba import lanes
from hqgan.circuits.engines.numba.engine import buffer
from hqgan.circuits.engines.numba.simd import BYTES
from hqgan.circuits.engines.plan import SIMULATOR, pair_signs, sources
from hqgan.circuits.engines.single_backward import single_backward
from hqgan.circuits.engines.threads import in_threads
from hqgan.circuits.entanglers import is_diagonal

KINDS = {"ry": lanes.RY, "rx": lanes.RX, "rz": lanes.RZ}


class Program(NamedTuple):
    """A circuit as the kernels run it.

    Attributes:
        steps: (T, 3) int64: kind of each step, the qubit's bit, and the place of its angle.
        negated: rows whose sign a layer's entanglers change.
        swaps: (S, 2) pairs of rows that they swap, in order.
        words: (W, 4) of each Pauli word: bits that it flips, the highest of them, the number of row pairs, and whether it has
            an odd number of Ys; empty for probabilities.
        signs: (2, W, 2^n): factors of the pairs, and for an odd number of Ys those of the second sum.
    """

    steps: np.ndarray
    negated: np.ndarray
    swaps: np.ndarray
    words: np.ndarray
    signs: np.ndarray


@lru_cache(maxsize=32)
def program_of(ansatz: Ansatz, dtype: np.dtype[Any]) -> Program:
    """The program of an ansatz without ancillas, for float32 or float64."""
    n, steps = ansatz.qubits, []
    for gate in ansatz.encoding:
        steps += [(KINDS[gate], 1 << n - 1 - q, q) for q in range(n)]
    rotations = len(ansatz.rotations)
    for layer in range(ansatz.layers):
        for r, gate in enumerate(ansatz.rotations):
            steps += [(KINDS[gate], 1 << n - 1 - q, n + (layer * n + q) * rotations + r) for q in range(n)]
        if ansatz.pairs:
            steps.append((lanes.SIGNS if is_diagonal(ansatz.entangler, SIMULATOR) else lanes.SWAPS, 0, 0))
    negated, swaps = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    if steps[-1][0] == lanes.SIGNS:
        negated = np.flatnonzero(pair_signs(ansatz, ansatz.pairs, n, torch.device("cpu")).numpy() < 0)
    elif steps[-1][0] == lanes.SWAPS:
        swaps = _swaps(sources(ansatz, torch.device("cpu")).numpy())
    words = np.zeros((len(ansatz.words), 4), np.int64)
    signs = np.zeros((2, len(ansatz.words), 2**n), dtype)
    for number, word in enumerate(ansatz.words):
        flip, mask, ys = (
            sum(1 << n - 1 - q for q, letter in word if letter in letters) for letters in ("XY", "YZ", "Y")
        )
        odd, top = ys.bit_count() % 2, 1 << max(flip.bit_length() - 1, 0)
        rows = np.arange(2**n)
        rows = rows[rows & top == 0] if flip else rows
        words[number] = flip, top if flip else 2**n, len(rows), odd
        # P|i> is i^Ys (-1)^(ones of i under Y and Z) |i ^ flip>; a pair of rows counts twice.
        found = (-1.0) ** (np.bitwise_count(rows & mask) + ys.bit_count() // 2) * (2 if flip else 1)
        signs[:, number, : len(rows)] = found, -found
    return Program(np.array(steps, np.int64), negated.astype(np.int64), swaps, words, signs)


def _swaps(source: np.ndarray) -> np.ndarray:
    """Swaps of rows, in order, after which row i holds what row source[i] held."""
    found, done = [], set()
    for start in range(len(source)):
        row = start
        while row not in done:
            done.add(row)
            if source[row] != start:
                found.append((row, source[row]))
            row = source[row]
    return np.array(found, np.int64).reshape(-1, 2)


def run(ansatz: Ansatz, keep: bool, angles: Tensor, weights: Tensor) -> Tensor:
    """Readouts (B, k, M) of angles (B, k, n) and weights (k, L, n, R), all float32 or all float64.

    Args:
        ansatz: without ancillas.
        keep: whether a gradient may be asked for.
        angles: in radians.
        weights: in radians.
    """
    return _Small.apply(ansatz, keep, angles, weights)


class _Small(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ansatz: Ansatz, keep: bool, angles: Tensor, weights: Tensor) -> Tensor:
        batch, k, n = angles.shape
        circuits = batch * k
        x, w = angles.numpy(force=True).reshape(circuits, n), weights.numpy(force=True).reshape(k, -1)
        program, width = program_of(ansatz, x.dtype), BYTES // x.itemsize
        blocks = -(-circuits // width)
        halves = np.zeros((n + w.shape[1], blocks * width), x.dtype)
        halves[:n, :circuits] = x.T / 2
        halves[n:, :circuits] = np.tile(w.T / 2, batch)
        cos, sin = (_by_block(f(halves), blocks, width) for f in (np.cos, np.sin))
        states = buffer((blocks if keep else 0, 2, 2**n, width), x.dtype)
        out = buffer((blocks, ansatz.readouts, width), x.dtype)

        def work(part: Sequence[int]) -> None:
            own = states if keep else buffer((1, 2, 2**n, width), x.dtype)
            lanes.simulate_blocks(part[0], part[-1] + 1, program, cos, sin, own, out)

        in_threads(work, blocks, angles.device)
        ctx.program, ctx.shapes = program, (angles.shape, weights.shape)
        # The final states belong to this call: the gradient starts from them.
        ctx.save_for_backward(*map(torch.from_numpy, (cos, sin, states)))
        found = out.transpose(0, 2, 1).reshape(blocks * width, -1)[:circuits]
        return torch.from_numpy(found).view(batch, k, -1)

    @staticmethod
    @single_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (batch, k, n), shape = ctx.shapes
        program, (cos, sin, states) = ctx.program, (saved.numpy() for saved in ctx.saved_tensors)
        blocks, _, width = cos.shape
        padded = np.zeros((gradient.shape[2], blocks * width), cos.dtype)
        padded[:, : batch * k] = gradient.detach().numpy().reshape(batch * k, -1).T
        by = _by_block(padded, blocks, width)
        found = buffer(cos.shape, cos.dtype)
        found[...] = 0

        def work(part: Sequence[int]) -> None:
            both = buffer((2, *states.shape[1:]), cos.dtype)
            lanes.backward_blocks(part[0], part[-1] + 1, program, cos, sin, states, by, both, found)

        in_threads(work, blocks, gradient.device)
        sums = found.transpose(1, 0, 2).reshape(cos.shape[1], -1)[:, : batch * k] / 2
        by_angles = torch.from_numpy(sums[:n].T.reshape(batch, k, n).copy())
        by_weights = torch.from_numpy(sums[n:].reshape(-1, batch, k).sum(1).T.reshape(shape).copy())
        return None, None, by_angles, by_weights


def _by_block(values: np.ndarray, blocks: int, width: int) -> np.ndarray:
    """(rows, circuits) as (blocks, rows, lanes), at the boundary of a register."""
    found = buffer((blocks, len(values), width), values.dtype)
    found[...] = values.reshape(len(values), blocks, width).transpose(1, 0, 2)
    return found
