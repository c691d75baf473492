"""The torch engine: the adjoint method as matrix products, for CUDA, and to test the compiled engine against.

Encoding and first rotations leave a product state, so the state is written down rather than computed. A
layer's rotations are fused into one matrix for each group of up to four neighbouring qubits and applied as matrix
products; entanglers are a vector of signs or a permutation. Where the ansatz is real, the real and the imaginary part of
a state are two real vectors that never mix. The backward pass runs the circuit backwards, undoing its gates on the state
and on its adjoint, the derivative of the loss by the state (Jones and Gacon, arXiv 2009.02823), so that memory does not
grow with depth. It stops at the fused matrices and the product state; autograd goes on from there to the angles.

A state is kept flat, as (k, S * N): N = 2^n, S counts the samples, twice where real and imaginary part are apart. A
matrix product reads a group of qubits at one end and writes it at the other for nothing, so a layer walks through all
groups and turns samples first (k, S, N) into samples last (k, N, S); the next one turns it back. `last` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hqgan.circuits.engines.gates import fused_gates, kron
from hqgan.circuits.engines.plan import Plan
from hqgan.circuits.engines.single_backward import single_backward
from hqgan.circuits.engines.threads import in_threads
from hqgan.circuits.engines.torch_steps import Entangler, apply_gates, make_buffers, measure, measure_back, undo_gates

Block = tuple[slice, slice]
"""Some sub-generators and some samples, whose states are worked on together."""
Product = tuple[Tensor, Tensor]
"""A product state as left (k, parts, B, P, e) @ right (k, 1, B, e, Q), or gradients by it.

P and Q count the basis states of the two halves of the qubits; e is 1, or 2 for complex numbers in real parts.
"""


def run(plan: Plan, keep: bool, amplitudes: Tensor, weights: Tensor) -> Tensor:
    """Readouts (k, B, M) of amplitudes (k, B, n, 2) and weights (k, L, n, R); the compiled engine has the same function."""
    return _Circuit.apply(plan, keep, *_product_state(plan, amplitudes), *_gates(plan, weights))


def states(plan: Plan, amplitudes: Tensor, weights: Tensor) -> Tensor:
    """(k, B, 2^n) final states, complex, of the same arguments; without gradient."""
    product, gates = _product_state(plan, amplitudes), _gates(plan, weights)
    found = product[0].new_empty(*amplitudes.shape[:2], 2**plan.ansatz.qubits, dtype=plan.dtype.to_complex())
    nowhere = product[0].new_empty(*amplitudes.shape[:2], plan.ansatz.readouts, dtype=plan.dtype.to_real())
    chunks = _chunks(plan, product[0])
    with torch.no_grad():
        finals = _run(plan, True, product, gates, chunks, nowhere)
    last = len(gates[0]) % 2 == 1
    for (rows, columns), final in zip(chunks, finals, strict=True):
        place = found[rows, columns]
        if last:
            final = final.view(*place.shape[::2], plan.parts, place.shape[1]).permute(0, 2, 3, 1)
        else:
            final = final.view(place.shape[0], plan.parts, *place.shape[1:])
        place.copy_(final[:, 0] if plan.parts == 1 else torch.complex(final[:, 0], final[:, 1]))
    return found


def _gates(plan: Plan, weights: Tensor) -> list[Tensor]:
    return fused_gates(plan.ansatz.rotations, weights[:, plan.absorbed :], plan.groups, plan.dtype)


def _product_state(plan: Plan, amplitudes: Tensor) -> Product:
    """The product of all qubits' amplitudes."""
    amplitudes = amplitudes.movedim(2, 0).unsqueeze(-1)  # (n, k, B, 2, 1)
    half = plan.ansatz.qubits // 2
    ones = amplitudes.new_ones(1, *amplitudes.shape[1:3], 1, 1)
    left, right = kron(amplitudes[:half] if half else ones), kron(amplitudes[half:]).transpose(-2, -1)
    if plan.parts == 1:
        return left.to(plan.dtype).unsqueeze(1), right.to(plan.dtype).unsqueeze(1)
    # (a + ib)(c + id): the real part is (a, -b) . (c, d), the imaginary one (b, a) . (c, d).
    a, b = left.real, left.imag
    left = torch.stack((torch.cat((a, -b), -1), torch.cat((b, a), -1)), 1)
    return left, torch.cat((right.real, right.imag), -2).unsqueeze(1)


def _chunks(plan: Plan, left: Tensor) -> list[Block]:
    """Cut the sub-generators and samples of a product state into blocks whose states stay in the cache."""
    k, _, b = left.shape[:3]
    fit = max(1, plan.chunk // (plan.parts * 2**plan.ansatz.qubits * plan.dtype.itemsize))
    rows, columns = max(1, min(k, fit // b)), min(b, fit)
    return [(slice(i, i + rows), slice(j, j + columns)) for i in range(0, k, rows) for j in range(0, b, columns)]


class _Circuit(torch.autograd.Function):
    """Product state and fused gates in, readouts out."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, keep: bool, left: Tensor, right: Tensor, *gates: Tensor) -> Tensor:
        out = left.new_empty(len(left), left.shape[2], plan.ansatz.readouts, dtype=plan.dtype.to_real())
        chunks = _chunks(plan, left)

        def work(block: Sequence[int]) -> list[Tensor]:
            return _run(plan, keep, (left, right), gates, [chunks[i] for i in block], out)

        blocks = in_threads(work, len(chunks), left.device)
        # The final states belong to this call: the gradient starts from them.
        ctx.plan = plan
        ctx.save_for_backward(left, right, *gates, *(final for finals in blocks for final in finals))
        return out

    @staticmethod
    @single_backward
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        plan: Plan = ctx.plan
        left, right, *rest = ctx.saved_tensors
        gates, finals = rest[: len(plan.groups)], rest[len(plan.groups) :]
        by_left, by_right = torch.empty_like(left), torch.empty_like(right)
        chunks = _chunks(plan, left)

        def work(block: Sequence[int]) -> list[Tensor]:
            own = [(chunks[i], finals[i]) for i in block]
            return _run_back(plan, (left, right), gates, own, gradient, (by_left, by_right))

        # Added in the order of the blocks, so that the same number of threads gives the same bits.
        found = zip(*in_threads(work, len(chunks), left.device), strict=True)
        return None, None, by_left, by_right, *(torch.stack(parts).sum(0) for parts in found)


def _run(
    plan: Plan, keep: bool, product: Product, gates: Sequence[Tensor], chunks: Sequence[Block], out: Tensor
) -> list[Tensor]:
    """Write the readouts of `chunks` into `out`; their final states, if they are to be kept."""
    left, right = product
    finals = []
    buffers = None
    for rows, columns in chunks:
        one, other = left[rows, :, columns], right[rows, :, columns]
        kc, bc = one.shape[0], one.shape[2]
        if buffers is None or buffers[0].numel() != kc * bc * plan.parts * 2**plan.ansatz.qubits:
            buffers = make_buffers(plan, kc, bc, left.device)
            entangle = Entangler(plan, plan.parts * bc)
        state, last = buffers[0], False
        grid = state.view(*one.shape[:-1], other.shape[-1])
        torch.mul(one[..., :1], other[..., :1, :], out=grid)
        if plan.parts == 2:
            grid.addcmul_(one[..., 1:], other[..., 1:, :])
        state = entangle(state, last, buffers)
        for layer in range(len(gates[0])):
            state = entangle(apply_gates(state, [g[layer, rows] for g in gates], last, buffers), not last, buffers)
            last = not last
        if keep or len(plan.families) > 1:  # a change of basis overwrites the buffers, and the next one needs the state
            state = state.clone()
        if keep:
            finals.append(state)
        out[rows, columns] = measure(plan, state, last, buffers, bc)
    return finals


def _run_back(
    plan: Plan, product: Product, gates: list[Tensor], chunks: list[tuple[Block, Tensor]], gradient: Tensor, by: Product
) -> list[Tensor]:
    """Gradients of `chunks`, given with their final states: those by the product state into `by`, and those by the gates."""
    (left, right), (by_left, by_right), depth = product, by, len(gates[0])
    by_gates = [torch.zeros_like(g) for g in gates]
    buffers = None
    for (rows, columns), final in chunks:
        one, other = left[rows, :, columns], right[rows, :, columns]
        kc, bc = one.shape[0], one.shape[2]
        if buffers is None or buffers[0].numel() != 2 * final.numel():
            buffers = make_buffers(plan, 2 * kc, bc, left.device)
            entangle = Entangler(plan, plan.parts * bc)
        # In the first buffer states stand before their adjoints; the second is scratch memory to find the adjoints in.
        both, last = buffers[0], depth % 2 == 1
        both[:kc] = final
        halves = buffers[1][:kc], buffers[1][kc:]
        measure_back(plan, final, last, halves, gradient[rows, columns], both[kc:])
        for layer in reversed(range(depth)):
            both = entangle(both, last, buffers, inverse=True)
            both, found = undo_gates(both, [g[layer, rows] for g in gates], last, buffers)
            last = not last
            for by_gate, value in zip(by_gates, found, strict=True):
                by_gate[layer, rows] += value
        adjoint = entangle(both, last, buffers, inverse=True)[kc:].view(*one.shape[:-1], other.shape[-1])
        by_left[rows, :, columns] = adjoint @ other.mH
        by_right[rows, :, columns] = (one.mH @ adjoint).sum(1, keepdim=True)
    return by_gates
