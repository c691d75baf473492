"""The compiled engine: the same circuits as `torch_engine` runs, by compiled loops over one state at a time, for the CPU.

Each thread runs one circuit after the other: a state of 16 qubits, or its real and imaginary part where these never mix, stays
in a core's cache together with its adjoint. LAYOUT.md shows how a state lies in memory.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.engines.numba.adjoint import backward, simulate
from hqgan.circuits.engines.numba.pauli_frame import pauli_frame, word_signs
from hqgan.circuits.engines.numba.tables import GROUP, Tables, copied, tables_of
from hqgan.circuits.engines.plan import Plan
from hqgan.circuits.engines.single_backward import single_backward
from hqgan.circuits.engines.threads import in_threads

_SPARE: dict[int, list[Tensor]] = {}
"""Free memory by size in bytes, that one call hands to the next, since fresh pages cost as much time as the arithmetic that
fills them. Taking from a list and adding to it need no lock."""
_SIZES = 16
"""Different sizes kept at most, so that calls of many sizes do not fill the memory."""


class Call(NamedTuple):
    """What the compiled functions make of a call's weights (k, L, n, R)."""

    batch: int  # circuits that share weights
    half_gates: tuple[np.ndarray, np.ndarray]  # (k, split layers, bits, R) tangents of each half, by bit
    half_scales: np.ndarray  # (2, k, split layers): factors of each half's layers
    gates: np.ndarray  # (k, L, n, R) tangents of the other layers, by bit; R is 1 in a real circuit
    patterns: np.ndarray  # (k, L, patterns, lanes) before a layer
    back_patterns: np.ndarray  # the same when a layer is undone
    scale: np.ndarray  # (k,) that a final state lacks
    last: np.ndarray  # (F, k, 1, patterns, lanes): the last signs and what a turned state lacks
    closing: np.ndarray  # (k, patterns, lanes): the last signs and what a final state lacks
    squares: np.ndarray  # (F, k): what probabilities lack
    flips: np.ndarray  # (k,): bits of a basis index that are inverted in the end
    word_signs: np.ndarray  # (k, W or M): factors of the families' words in their order, or of the local ones
    back: np.ndarray  # (k, all layers, n, R): from a gate's sum to its gradient, by bit


class Work(NamedTuple):
    """A thread's memory to work in."""

    final: np.ndarray  # (1, planes, rows, lanes): a circuit's final state, where it is not kept
    scratch: np.ndarray  # (planes, rows, lanes)
    sweep_buffer: np.ndarray  # (2, 2^GROUP, lanes)
    both: np.ndarray  # (2, rows, lanes): a state and its adjoint
    halves: tuple[np.ndarray, np.ndarray]  # (2, branches of all layers, 2, 2^bits), upper, lower: vectors, gradients
    rows: np.ndarray  # (2e, numbers of a lower half): lower halves of the branches as they stand in a state
    by_rows: np.ndarray  # the gradient by them
    table: np.ndarray  # (l, numbers of a lower half): sums over the upper half by its signs
    line: np.ndarray  # (numbers of a lower half,)
    sums: np.ndarray  # (n, 3, lanes) of X, Y, Z by bit


def run(plan: Plan, keep: bool, amplitudes: Tensor, weights: Tensor) -> Tensor:
    """Readouts (k, B, M) of a circuit.

    Args:
        plan: of the ansatz, for the CPU.
        keep: whether a gradient may be asked for.
        amplitudes: (k, B, n, 2), real or complex: of each qubit's |0> and |1> after encoding and absorbed rotations.
        weights: (k, L, n, R).
    """
    tables = tables_of(plan)
    idle = tables.n - plan.ansatz.qubits
    if idle:
        zero = torch.tensor([1.0, 0.0], dtype=amplitudes.dtype)
        amplitudes = torch.cat((zero.expand(*amplitudes.shape[:2], idle, 2), amplitudes), 2)
    if not amplitudes.is_complex():
        amplitudes = torch.complex(amplitudes, torch.zeros_like(amplitudes))
    weights = weights[:, plan.absorbed :]
    if not plan.dtype.is_complex:  # several rotations about y are one
        weights = weights.sum(-1, keepdim=True)
    amplitudes = torch.view_as_real(amplitudes).flatten(0, 1).contiguous()
    return _Compiled.apply(plan, keep, amplitudes, weights).unflatten(0, (len(weights), -1))


class _Compiled(torch.autograd.Function):
    """Amplitudes (k * B, n, 2, 2), idle qubits first, and weights in, readouts (k * B, M) out."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, keep: bool, amplitudes: Tensor, weights: Tensor) -> Tensor:
        tables, count = tables_of(plan), len(amplitudes)
        call = _call(plan, weights.numpy(force=True), count // len(weights))
        out = torch.empty(count, plan.ansatz.readouts, dtype=weights.dtype)
        values, given = out.numpy(), amplitudes.numpy()
        states = buffer((count if keep else 0, tables.planes, tables.rows, tables.lanes), values.dtype)

        def work(block: Sequence[int]) -> None:
            memory = _work(tables, values.dtype)
            finals = states if keep else memory.final
            simulate(block[0], block[-1] + 1, given, tables.circuit, call, finals, memory, values)

        in_threads(work, count, amplitudes.device)
        # The final states belong to this call: the gradient starts from them.
        ctx.plan, ctx.call = plan, call
        ctx.save_for_backward(amplitudes, torch.from_numpy(states))
        return out

    @staticmethod
    @single_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        plan, call, tables = ctx.plan, ctx.call, tables_of(ctx.plan)
        amplitudes, states = ctx.saved_tensors
        found = torch.zeros_like(amplitudes)
        given, by = amplitudes.numpy(), found.numpy()
        wanted = (2 * gradient).contiguous().numpy()

        def work(block: Sequence[int]) -> np.ndarray:
            sums, upper, lower = (
                copied(np.zeros((*gates.shape, tables.lanes)), wanted.dtype) for gates in (call.gates, *call.half_gates)
            )
            shared, own = (given, tables.circuit, call, states.numpy()), _work(tables, wanted.dtype)
            backward(block[0], block[-1] + 1, *shared, own, wanted, by, sums, (upper, lower))
            halves = np.concatenate([lower, upper], 2)  # by bit, the lower half's first
            return np.concatenate([halves, sums], 1).sum(-1)

        # Added in the order of the blocks, so that the same number of threads gives the same bits.
        total = np.stack(in_threads(work, len(wanted), gradient.device)).sum(0) * call.back
        return None, None, found, torch.from_numpy(total[:, :, : plan.ansatz.qubits][:, :, ::-1].copy())


def _call(plan: Plan, weights: np.ndarray, batch: int) -> Call:
    tables, ansatz = tables_of(plan), plan.ansatz
    circuit, frame = tables.circuit, pauli_frame(ansatz, weights)
    angles, signs = (np.zeros((*weights.shape[:2], tables.n, weights.shape[3])) for _ in range(2))
    angles[:, :, : ansatz.qubits], signs[:, :, : ansatz.qubits] = frame.angles[:, :, ::-1], frame.signs[:, :, ::-1]
    split, right = circuit.split_layers, circuit.bits[1]
    cos = np.cos(angles / 2)
    tangents = np.tan(angles / 2)
    scales = np.ones((len(cos), cos.shape[1] - split + 1))
    scales[:, 1:] = cos[:, split:].prod((2, 3))
    sides = slice(right, tables.n), slice(right)
    # A gate's sum is taken from rows that lack the factors of the gates undone before it in its layer, on both sides.
    logs = np.log(cos).reshape(*cos.shape[:2], tables.earlier.shape[2])
    back = (np.exp(2 * np.einsum("klj,lij->kli", logs, tables.earlier)) / 2).reshape(angles.shape)
    found = word_signs(ansatz, frame)
    scale, patterns, dtype = scales[:, -1], circuit.patterns.astype(float), weights.dtype
    before, after, closing = (x[..., None, None] * patterns for x in (scales[:, :-1], scales[:, 1:], scale))
    return Call(
        batch,
        (copied(tangents[:, :split, sides[0]], dtype), copied(tangents[:, :split, sides[1]], dtype)),
        np.stack([cos[:, :split, side].prod((2, 3)) for side in sides]).astype(dtype),
        copied(tangents[:, split:], dtype),
        copied(before, dtype),
        copied(after, dtype),
        scale.astype(dtype),
        copied((tables.lacking[:, None] * scale)[..., None, None, None] * patterns, dtype),
        copied(closing, dtype),
        np.where(circuit.families[:, 4:], 1, scale**2).astype(dtype),
        (frame.x << np.arange(ansatz.qubits)[::-1]).sum(1),
        (found if circuit.wanted else found[:, circuit.words[:, 2]]).astype(dtype),
        (back * signs).astype(dtype),
    )


def _work(tables: Tables, dtype: np.dtype[Any]) -> Work:
    circuit, state, lanes = tables.circuit, (tables.rows, tables.lanes), tables.lanes
    line = 2 ** circuit.bits[1] * (2 if circuit.width else 1)
    first, last = circuit.last_branches
    upper, lower = (buffer((2, last, 2, 2**bits), dtype) for bits in circuit.bits)
    return Work(
        final=buffer((1, tables.planes, *state), dtype),
        scratch=buffer((tables.planes, *state), dtype),
        sweep_buffer=buffer((2, 2**GROUP, lanes), dtype),
        both=buffer((2, *state), dtype),
        halves=(upper, lower),
        rows=buffer((2 * (last - first), line), dtype),
        by_rows=buffer((2 * (last - first), line), dtype),
        table=buffer((len(circuit.left_signs), line), dtype),
        line=buffer((line,), dtype),
        sums=buffer((tables.n, 3, lanes), dtype),
    )


def buffer(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array whose memory goes to the next buffer of its size when nothing refers to it any more.

    It starts at the boundary of a row (64 bytes) and holds whatever numbers were there.
    """
    size = math.prod(shape) * dtype.itemsize
    try:
        memory = _SPARE[size].pop()
    except (KeyError, IndexError):
        if len(_SPARE) >= _SIZES:
            _SPARE.clear()
        memory = torch.empty(size, dtype=torch.uint8)
    whole = memory.numpy()
    weakref.finalize(whole, _SPARE.setdefault(size, []).append, memory).atexit = False  # views refer to the whole
    return whole.view(dtype).reshape(shape)
