"""The engine of matrix products: the adjoint method in plain torch, for small circuits, for CUDA, and to test the other by.

Encoding and first rotations leave a product state, so the state is written down rather than computed. A
layer's rotations are fused into one matrix for each group of up to four neighbouring qubits and applied as matrix
products; CZs are a vector of signs, CNOTs a permutation. Where the ansatz is real, the real and the imaginary part of
a state are two real vectors that never meet. The gradient walks the circuit backwards, undoing its gates on the state
and on its adjoint, the derivative of the loss by the state (Jones and Gacon, arXiv 2009.02823), so that memory does not
grow with depth. It stops at the fused matrices and the product state: autograd takes it from there to the angles.

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
from hqgan.circuits.engines.plan import Plan, no_autocast
from hqgan.circuits.engines.single_backward import only_once
from hqgan.circuits.engines.threads import shared

Room = tuple[Tensor, Tensor]
Block = tuple[slice, slice]


def run(plan: Plan, keep: bool, amplitudes: Tensor, weights: Tensor) -> Tensor:
    """Readouts (k, B, M) of amplitudes (k, B, n, 2) and weights (k, L, n, R), as `compiled.engine.run` gives them."""
    left, right, gates = _prepared(plan, amplitudes, weights)
    return _Circuit.apply(plan, keep, left, right, *gates)


def states(plan: Plan, amplitudes: Tensor, weights: Tensor) -> Tensor:
    """(k, B, 2^n) final states, complex, of the same arguments; without gradient."""
    left, right, gates = _prepared(plan, amplitudes, weights)
    k, _, b = left.shape[:3]
    found = torch.empty(k, b, 2**plan.ansatz.qubits, dtype=plan.dtype.to_complex(), device=left.device)
    nowhere = torch.empty(k, b, plan.ansatz.readouts, dtype=plan.dtype.to_real(), device=left.device)
    chunks = _chunks(plan, k, b)
    with torch.no_grad():
        finals = _run(plan, True, left, right, gates, chunks, nowhere)
    last = bool(gates) and len(gates[0]) % 2 == 1
    for (rows, columns), final in zip(chunks, finals, strict=True):
        place = found[rows, columns]
        if last:
            final = final.view(*place.shape[::2], plan.parts, place.shape[1]).permute(0, 2, 3, 1)
        else:
            final = final.view(place.shape[0], plan.parts, *place.shape[1:])
        place.copy_(final[:, 0] if plan.parts == 1 else torch.complex(final[:, 0], final[:, 1]))
    return found


def _prepared(plan: Plan, amplitudes: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    left, right = _product_state(plan, amplitudes)
    gates = (
        fused_gates(plan.ansatz.rotations, weights[:, plan.absorbed :], plan.groups, plan.dtype)
        if plan.ansatz.layers > plan.absorbed
        else []
    )
    return left, right, gates


def _product_state(plan: Plan, amplitudes: Tensor) -> tuple[Tensor, Tensor]:
    """The product of all qubits' amplitudes as left (k, parts, B, P, e) @ right (k, 1, B, e, Q).

    P and Q count the basis states of the two halves of the qubits; e is 1, or 2 for complex numbers in real parts.
    """
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


def _turn(state: Tensor, gates: list[Tensor], last: bool, room: Room) -> Tensor:
    """Apply a matrix (k, d, d) to each group of a state (k, S * N), turning samples first into last or back.

    The result lies in the room; a state that is not in the room is left as it was.
    """
    k = state.shape[0]
    for gate in gates if last else reversed(gates):
        d, out = gate.shape[-1], _other(room, state)
        if last:
            torch.bmm(state.view(k, d, -1).transpose(1, 2), gate.transpose(1, 2), out=out.view(k, -1, d))
        else:
            torch.bmm(gate, state.view(k, -1, d).transpose(1, 2), out=out.view(k, d, -1))
        state = out
    return state


def _unturn(both: Tensor, gates: list[Tensor], last: bool, room: Room) -> tuple[Tensor, list[Tensor]]:
    """Undo a layer's gates (k, d, d) on states and adjoints (2k, S * N), and find the gradient of each gate.

    With y = G x the gradient by G is the sum over samples of adjoint(y) x^H. Gates of other groups, undone on both
    sides of such a sum, leave it as it is; so it may be taken wherever the group stands at the end, the fast place.
    """
    k = gates[0].shape[0]
    gradients = []
    for gate in gates if last else reversed(gates):
        d, inverse = gate.shape[-1], torch.cat((gate, gate)).mH
        if last:
            both = _turn(both, [inverse], last, room)
        ends = both.view(2 * k, -1, d)
        sums = torch.bmm(ends[k:].transpose(1, 2), ends[:k].conj())
        gradients.append(gate @ sums if last else sums @ gate)
        if not last:
            both = _turn(both, [inverse], last, room)
    return both, gradients if last else gradients[::-1]


class _Entangler:
    """A layer's entanglers on states of either layout; for one chunk, since the signs are laid out for its samples."""

    def __init__(self, plan: Plan, samples: int) -> None:
        self.moves, self.samples = plan.moves, samples
        # Broadcasting over a short last axis is slow, so the signs are repeated once, here.
        self.signs = None
        if plan.signs is not None:
            self.signs = plan.signs, plan.signs[:, None].expand(-1, samples).reshape(-1)

    def __call__(self, state: Tensor, last: bool, room: Room, *, inverse: bool = False) -> Tensor:
        """Apply to (k, S * N) in the room."""
        k = state.shape[0]
        if self.signs is not None:
            if last:
                state.mul_(self.signs[1])
            else:
                state.view(k, self.samples, -1).mul_(self.signs[0])
        elif self.moves is not None:
            source, out = self.moves[inverse], _other(room, state)
            shape = (k, -1, self.samples) if last else (k, self.samples, source.shape[0])
            torch.index_select(state.view(shape), 1 if last else 2, source, out=out.view(shape))
            state = out
        return state


def _probabilities(plan: Plan, state: Tensor, last: bool, b: int) -> Tensor:
    """(k, B, N) probabilities of the basis states."""
    k, n = state.shape[0], 2**plan.ansatz.qubits
    p = torch.view_as_real(state).square().sum(-1) if state.is_complex() else state.square()
    p = p.view(k, n, plan.parts, b) if last else p.view(k, plan.parts, b, n)
    axis = 2 if last else 1
    p = p.select(axis, 0) + p.select(axis, 1) if plan.parts == 2 else p.squeeze(axis)
    return p.transpose(1, 2).contiguous() if last else p


def _measure(plan: Plan, state: Tensor, last: bool, room: Room, b: int) -> Tensor:
    """(k, B, M) readouts of a final state (k, S * N)."""
    k = state.shape[0]
    values = torch.empty(k, b, plan.ansatz.readouts, dtype=state.dtype.to_real(), device=state.device)
    for family in plan.families:
        turned, side = state, last
        if family.basis is not None:
            turned, side = _turn(state, [g.expand(k, -1, -1) for g in family.basis], last, room), not last
        p = _probabilities(plan, turned, side, b)
        if family.signs is None:
            return p
        left, right = family.signs
        table = left @ (p.view(k, b, left.shape[1], right.shape[0]) @ right)
        values[..., family.places] = table[..., family.halves[0], family.halves[1]]
    return values


def _unmeasure(plan: Plan, state: Tensor, last: bool, room: Room, gradient: Tensor, total: Tensor) -> None:
    """Write the adjoint of a final state (k, S * N): twice the gradient-weighted sum of observables, applied to it."""
    k, b, _ = gradient.shape
    n = 2**plan.ansatz.qubits
    for number, family in enumerate(plan.families):
        adjoint, side, basis = state, last, family.basis
        if basis is not None:
            adjoint, side = _turn(state, [g.expand(k, -1, -1) for g in basis], last, room), not last
        if family.signs is None:
            diagonal = 2 * gradient
        else:
            left, right = family.signs
            table = gradient.new_zeros(k, b, left.shape[0], right.shape[1])
            table[..., family.halves[0], family.halves[1]] = 2 * gradient[..., family.places]
            diagonal = (left.T @ table @ right.T).view(k, b, n)
        if side:
            adjoint = adjoint.view(k, n, plan.parts, b) * diagonal.transpose(1, 2)[:, :, None]
        else:
            adjoint = adjoint.view(k, plan.parts, b, n) * diagonal[:, None]
        adjoint = adjoint.view(k, -1)
        if basis is not None:
            adjoint = _turn(adjoint, [g.mH.resolve_conj().expand(k, -1, -1) for g in basis], side, room)
        if number == 0:
            total.copy_(adjoint)
        else:
            total.add_(adjoint)


def _room(plan: Plan, k: int, b: int, device: torch.device) -> Room:
    """Two places for k * B states: a gate reads one and writes the other.

    They are asked for once a call, because fresh pages cost more than the arithmetic that fills them.
    """
    size = k, b * plan.parts * 2**plan.ansatz.qubits
    first, second = torch.empty(2, *size, dtype=plan.dtype, device=device)
    return first, second


def _other(room: Room, state: Tensor) -> Tensor:
    return room[state.data_ptr() == room[0].data_ptr()]


def _chunks(plan: Plan, k: int, b: int) -> list[Block]:
    """Cut k sub-generators and B samples into blocks whose states stay in the cache."""
    fit = max(1, plan.chunk // (plan.parts * 2**plan.ansatz.qubits * plan.dtype.itemsize))
    rows, columns = max(1, min(k, fit // b)), min(b, fit)
    return [(slice(i, i + rows), slice(j, j + columns)) for i in range(0, k, rows) for j in range(0, b, columns)]


class _Circuit(torch.autograd.Function):
    """Product state and fused gates in, readouts out."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, keep: bool, left: Tensor, right: Tensor, *gates: Tensor) -> Tensor:
        k, _, b = left.shape[:3]
        out = torch.empty(k, b, plan.ansatz.readouts, dtype=plan.dtype.to_real(), device=left.device)
        chunks = _chunks(plan, k, b)

        def work(share: Sequence[int]) -> list[Tensor]:
            return _run(plan, keep, left, right, gates, [chunks[i] for i in share], out)

        shares = shared(work, len(chunks), left.device)
        # The final states belong to this call: the gradient starts from them.
        ctx.plan = plan
        ctx.save_for_backward(left, right, *gates, *(final for finals in shares for final in finals))
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        with torch.no_grad(), no_autocast(gradient.device):
            found = _Circuit._gradients(ctx, gradient)
        return None, None, *only_once(found)

    @staticmethod
    def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        plan: Plan = ctx.plan
        count = len(plan.groups) if plan.ansatz.layers > plan.absorbed else 0
        left, right, *rest = ctx.saved_tensors
        gates, finals = rest[:count], rest[count:]
        k, _, b = left.shape[:3]
        by_left, by_right = torch.empty_like(left), torch.empty_like(right)
        chunks = _chunks(plan, k, b)

        def work(share: Sequence[int]) -> list[Tensor]:
            own = [(chunks[i], finals[i]) for i in share]
            return _run_back(plan, left, right, gates, own, gradient, by_left, by_right)

        # Added in the order of the shares, so that the same threads give the same bits.
        by_gates = [torch.stack(parts).sum(0) for parts in zip(*shared(work, len(chunks), left.device), strict=True)]
        return by_left, by_right, *by_gates


def _run(
    plan: Plan, keep: bool, left: Tensor, right: Tensor, gates: Sequence[Tensor], chunks: Sequence[Block], out: Tensor
) -> list[Tensor]:
    """Write the readouts of `chunks` into `out`; their final states, if they are to be kept."""
    depth = gates[0].shape[0] if gates else 0
    finals = []
    room = None
    for rows, columns in chunks:
        one, other = left[rows, :, columns], right[rows, :, columns]
        kc, bc = one.shape[0], one.shape[2]
        if room is None or room[0].numel() != kc * bc * plan.parts * 2**plan.ansatz.qubits:
            room = _room(plan, kc, bc, left.device)
            entangle = _Entangler(plan, plan.parts * bc)
        state, last = room[0], False
        grid = state.view(*one.shape[:-1], other.shape[-1])
        torch.mul(one[..., :1], other[..., :1, :], out=grid)
        if plan.parts == 2:
            grid.addcmul_(one[..., 1:], other[..., 1:, :])
        state = entangle(state, last, room)
        for layer in range(depth):
            state = entangle(_turn(state, [g[layer, rows] for g in gates], last, room), not last, room)
            last = not last
        if (
            keep or len(plan.families) > 1
        ):  # a change of basis works in the room, and the next one starts from the state
            state = state.clone()
        if keep:
            finals.append(state)
        out[rows, columns] = _measure(plan, state, last, room, bc)
    return finals


def _run_back(
    plan: Plan,
    left: Tensor,
    right: Tensor,
    gates: Sequence[Tensor],
    chunks: Sequence[tuple[Block, Tensor]],
    gradient: Tensor,
    by_left: Tensor,
    by_right: Tensor,
) -> list[Tensor]:
    """Gradients of `chunks`, given with their final states: into `by_left` and `by_right`, and those of the gates."""
    depth = gates[0].shape[0] if gates else 0
    by_gates = [torch.zeros_like(g) for g in gates]
    room = None
    for (rows, columns), final in chunks:
        one, other = left[rows, :, columns], right[rows, :, columns]
        kc, bc = one.shape[0], one.shape[2]
        if room is None or room[0].numel() != 2 * final.numel():
            room = _room(plan, 2 * kc, bc, left.device)
            entangle = _Entangler(plan, plan.parts * bc)
        # States stand before their adjoints in the first place; the second is room to find the adjoints in.
        both, last = room[0], depth % 2 == 1
        both[:kc] = final
        halves = room[1][:kc], room[1][kc:]
        _unmeasure(plan, final, last, halves, gradient[rows, columns], both[kc:])
        for layer in reversed(range(depth)):
            both = entangle(both, last, room, inverse=True)
            both, found = _unturn(both, [g[layer, rows] for g in gates], last, room)
            last = not last
            for by_gate, value in zip(by_gates, found, strict=True):
                by_gate[layer, rows] += value
        adjoint = entangle(both, last, room, inverse=True)[kc:].view(*one.shape[:-1], other.shape[-1])
        by_left[rows, :, columns] = adjoint @ other.mH
        by_right[rows, :, columns] = (one.mH @ adjoint).sum(1, keepdim=True)
    return by_gates
