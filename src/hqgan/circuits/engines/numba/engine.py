"""The compiled engine: the same circuits as `matrices` runs, by the loops of `walk`, for the CPU.

One circuit after the other on each thread: a state of 16 qubits, or its real and imaginary part where these never meet, stays
in a core's cache together with its adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.engines.numba.buffers import Room
from hqgan.circuits.engines.numba.pauli_frame import framed, word_signs
from hqgan.circuits.engines.numba.simulate import walk, walk_back
from hqgan.circuits.engines.numba.tables import GROUP, Program, aligned, copied, program_of, unturned, with_factors
from hqgan.circuits.engines.plan import Plan
from hqgan.circuits.engines.single_backward import only_once
from hqgan.circuits.engines.threads import shared


class Call(NamedTuple):
    """What a call's weights (k, L, n, R) mean to `walk`."""

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
    flips: np.ndarray  # (k,): bits of a basis index that are the other way round in the end
    word_signs: np.ndarray  # (k, W or M): factors of the families' words in their order, or of the local ones
    back: np.ndarray  # (k, all layers, n, R): from a gate's sum to its gradient, by bit


class Work(NamedTuple):
    """A thread's room to work in."""

    room: np.ndarray  # (planes, rows, lanes)
    buffer: np.ndarray  # (2, 2^GROUP, lanes)
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
    p = program_of(plan)
    idle = p.n - plan.ansatz.qubits
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
        p, count = program_of(plan), len(amplitudes)
        call = _call(plan, weights.numpy(force=True), count // len(weights))
        out = torch.empty(count, plan.ansatz.readouts, dtype=weights.dtype)
        values, given = out.numpy(), amplitudes.numpy()
        states = Room((count if keep else 0, p.planes, p.rows, p.lanes), values.dtype)

        def work(share: Sequence[int]) -> None:
            rooms = _rooms(p, values.dtype)
            finals = states if keep else rooms[-1]
            walk(share[0], share[-1] + 1, given, p.circuit, call, finals.array, _work(rooms), values, p.kind)

        shared(work, count, amplitudes.device)
        # The final states belong to this call: the gradient starts from them.
        ctx.plan, ctx.call, ctx.states = plan, call, states
        ctx.save_for_backward(amplitudes, torch.from_numpy(states.array))
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            found = _Compiled._gradients(ctx, gradient)
        return None, None, *only_once(found)

    @staticmethod
    def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        plan, call, p = ctx.plan, ctx.call, program_of(ctx.plan)
        amplitudes, states = ctx.saved_tensors
        found = torch.zeros_like(amplitudes)
        given, by = amplitudes.numpy(), found.numpy()
        wanted = (2 * gradient).contiguous().numpy()

        def work(share: Sequence[int]) -> np.ndarray:
            rooms = _rooms(p, wanted.dtype)
            sums, upper, lower = (
                aligned((*gates.shape, p.lanes), wanted.dtype) for gates in (call.gates, *call.half_gates)
            )
            for place in (sums, upper, lower):
                place[...] = 0
            walk_back(
                share[0], share[-1] + 1, given, p.circuit, call, states.numpy(), _work(rooms), wanted, by, sums,
                (upper, lower), p.kind,
            )  # fmt: skip
            halves = np.concatenate([lower, upper], 2)  # by bit, the lower half's first
            return np.concatenate([halves, sums], 1).sum(-1)

        # Added in the order of the shares, so that the same threads give the same bits.
        total = np.stack(shared(work, len(wanted), gradient.device)).sum(0) * call.back
        return found, torch.from_numpy(total[:, :, : plan.ansatz.qubits][:, :, ::-1].copy())


def _call(plan: Plan, weights: np.ndarray, batch: int) -> Call:
    p, ansatz = program_of(plan), plan.ansatz
    frame = framed(ansatz, weights)
    angles, signs = (np.zeros((*weights.shape[:2], p.n, weights.shape[3])) for _ in range(2))
    angles[:, :, : ansatz.qubits], signs[:, :, : ansatz.qubits] = frame.angles[:, :, ::-1], frame.signs[:, :, ::-1]
    split, right = p.circuit.split_layers, p.circuit.bits[1]
    cos = np.cos(angles / 2)
    tangents = np.tan(angles / 2)
    scales = np.ones((len(cos), cos.shape[1] - split + 1))
    scales[:, 1:] = cos[:, split:].prod((2, 3))
    sides = slice(right, p.n), slice(right)
    # A gate's sum is taken from rows that lack the factors of the gates undone before it in its layer, on both sides.
    logs = np.log(cos).reshape(*cos.shape[:2], p.earlier.shape[2])
    back = (np.exp(2 * np.einsum("klj,lij->kli", logs, p.earlier)) / 2).reshape(angles.shape)
    turned = np.array(p.turned, int)[:, None] > 0
    found = word_signs(ansatz, frame)
    return Call(
        batch,
        (copied(tangents[:, :split, sides[0]], weights.dtype), copied(tangents[:, :split, sides[1]], weights.dtype)),
        np.stack([cos[:, :split, side].prod((2, 3)) for side in sides]).astype(weights.dtype),
        copied(tangents[:, split:], weights.dtype),
        with_factors(p.circuit.patterns, scales[:, :-1], weights.dtype),
        with_factors(p.circuit.patterns, scales[:, 1:], weights.dtype),
        scales[:, -1].astype(weights.dtype),
        with_factors(p.circuit.patterns, scales[:, -1] * unturned(p.turned)[:, None], weights.dtype)[:, :, None],
        with_factors(p.circuit.patterns, scales[:, -1], weights.dtype),
        np.where(turned, 1, scales[:, -1] ** 2).astype(weights.dtype),
        (frame.x << np.arange(ansatz.qubits)[::-1]).sum(1),
        (found if p.circuit.wanted else found[:, p.circuit.words[:, 2]]).astype(weights.dtype),
        (back * signs).astype(weights.dtype),
    )


def _rooms(p: Program, dtype: np.dtype[Any]) -> list[Room]:
    """Memory of `Work`, and of one circuit's final state."""
    c, state = p.circuit, (p.rows, p.lanes)
    size = 2 ** c.bits[1] * (2 if c.width else 1)
    branches = [len(c.masks[0]) ** layer for layer in range(c.split_layers + 1)]
    halves = [(2, sum(branches), 2, 2**bits) for bits in c.bits]
    shapes: list[tuple[int, ...]] = [(p.planes, *state), (2, 2**GROUP, p.lanes), (2, *state), *halves]
    shapes += [(2 * branches[-1], size)] * 2 + [
        (len(c.left_signs), size),
        (size,),
        (p.n, 3, p.lanes),
        (1, p.planes, *state),
    ]
    return [Room(shape, dtype) for shape in shapes]


def _work(rooms: list[Room]) -> Work:
    room, buffer, both, upper, lower, *others = (room.array for room in rooms[:-1])
    return Work(room, buffer, both, (upper, lower), *others)
