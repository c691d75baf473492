"""What the torch engine does to states, step by step: gates and entanglers, there and back, and readouts.

`torch_engine` explains the two layouts, samples first and samples last, between which a layer's gates turn a state.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hqgan.circuits.engines.plan import Plan

Buffers = tuple[Tensor, Tensor]
"""Two places for the same states: a gate reads one and writes the other."""


def make_buffers(plan: Plan, k: int, b: int, device: torch.device) -> Buffers:
    """Buffers for k * B states, made once a call, since fresh pages of memory cost more than the arithmetic that fills them."""
    size = k, b * plan.parts * 2**plan.ansatz.qubits
    first, second = torch.empty(2, *size, dtype=plan.dtype, device=device)
    return first, second


def other_buffer(buffers: Buffers, state: Tensor) -> Tensor:
    """The buffer in which a state does not lie."""
    return buffers[state.data_ptr() == buffers[0].data_ptr()]


def apply_gates(state: Tensor, gates: list[Tensor], last: bool, buffers: Buffers) -> Tensor:
    """Apply a matrix (k, d, d) to each group of a state (k, S * N), turning samples first into last or back.

    The result lies in a buffer; a state that lies in neither buffer is left unchanged.
    """
    k = state.shape[0]
    for gate in gates if last else reversed(gates):
        d, out = gate.shape[-1], other_buffer(buffers, state)
        if last:
            torch.bmm(state.view(k, d, -1).transpose(1, 2), gate.transpose(1, 2), out=out.view(k, -1, d))
        else:
            torch.bmm(gate, state.view(k, -1, d).transpose(1, 2), out=out.view(k, d, -1))
        state = out
    return state


def undo_gates(both: Tensor, gates: list[Tensor], last: bool, buffers: Buffers) -> tuple[Tensor, list[Tensor]]:
    """Undo a layer's gates (k, d, d) on states and adjoints (2k, S * N), and return the gradient of each gate.

    With y = G x the gradient by G is the sum over samples of adjoint(y) x^H. Gates of other groups, undone on both
    sides of such a sum, do not change it; so it is taken where the group stands at the end, which is the fast place.
    """
    k = gates[0].shape[0]
    gradients = []
    for gate in gates if last else reversed(gates):
        d, inverse = gate.shape[-1], torch.cat((gate, gate)).mH
        if last:
            both = apply_gates(both, [inverse], last, buffers)
        ends = both.view(2 * k, -1, d)
        sums = torch.bmm(ends[k:].transpose(1, 2), ends[:k].conj())
        gradients.append(gate @ sums if last else sums @ gate)
        if not last:
            both = apply_gates(both, [inverse], last, buffers)
    return both, gradients if last else gradients[::-1]


class Entangler:
    """A layer's entanglers, for states of either layout and one number of samples, for which the signs are repeated."""

    def __init__(self, plan: Plan, samples: int) -> None:
        self.moves, self.samples = plan.moves, samples
        # Broadcasting over a short last axis is slow, so the signs are repeated once, here.
        signs = plan.signs
        self.signs = None if signs is None else (signs, signs[:, None].expand(-1, samples).reshape(-1))

    def __call__(self, state: Tensor, last: bool, buffers: Buffers, *, inverse: bool = False) -> Tensor:
        """Apply to (k, S * N) in a buffer."""
        k = state.shape[0]
        if self.signs is not None:
            if last:
                state.mul_(self.signs[1])
            else:
                state.view(k, self.samples, -1).mul_(self.signs[0])
        elif self.moves is not None:
            source, out = self.moves[inverse], other_buffer(buffers, state)
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


def measure(plan: Plan, state: Tensor, last: bool, buffers: Buffers, b: int) -> Tensor:
    """(k, B, M) readouts of a final state (k, S * N)."""
    k = state.shape[0]
    values = torch.empty(k, b, plan.ansatz.readouts, dtype=state.dtype.to_real(), device=state.device)
    for family in plan.families:
        turned, side = state, last
        if family.basis is not None:
            turned, side = apply_gates(state, [g.expand(k, -1, -1) for g in family.basis], last, buffers), not last
        p = _probabilities(plan, turned, side, b)
        if family.signs is None:
            return p
        left, right = family.signs
        table = left @ (p.view(k, b, left.shape[1], right.shape[0]) @ right)
        values[..., family.places] = table[..., family.halves[0], family.halves[1]]
    return values


def measure_back(plan: Plan, state: Tensor, last: bool, buffers: Buffers, gradient: Tensor, total: Tensor) -> None:
    """Write the adjoint of a final state (k, S * N): twice the gradient-weighted sum of observables, applied to it."""
    k, b, _ = gradient.shape
    n = 2**plan.ansatz.qubits
    for number, family in enumerate(plan.families):
        adjoint, side, basis = state, last, family.basis
        if basis is not None:
            adjoint, side = apply_gates(state, [g.expand(k, -1, -1) for g in basis], last, buffers), not last
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
            adjoint = apply_gates(adjoint, [g.mH.resolve_conj().expand(k, -1, -1) for g in basis], side, buffers)
        if number == 0:
            total.copy_(adjoint)
        else:
            total.add_(adjoint)
