"""The compiled engine: the same circuit as `statevector`'s, by the loops of `kernels`, for the CPU.

A task is one sub-generator and as many samples as fit into a row's lanes. It begins with the product state, sweeps through
the layers group by group, and ends with the readouts; the gradient sweeps back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits import kernels, passes
from hqgan.circuits.once import OnlyOnce
from hqgan.circuits.plan import Family, Plan
from hqgan.circuits.threads import shared

GROUP = 8
"""Most qubits of a sweep: 2^8 rows of 64 bytes fit into a core's first cache."""

CODES = {"ry": 0, "rx": 2, "rz": 4}
TO_Z = {"X": ("ry", -np.pi / 2), "Y": ("rx", np.pi / 2), "Z": ("ry", 0.0)}
"""The rotation after which Z measures what X, Y or Z did before."""


@dataclass(frozen=True)
class Sweep:
    """Rotations of layers `first` to `first + count` on one group of bits; `opens` if the first layer begins with it."""

    start: int
    size: int
    first: int
    count: int
    opens: bool


@dataclass(frozen=True)
class Program:
    """What the engine works out once for a plan."""

    low: int  # bits of the first group
    groups: tuple[tuple[int, int], ...]  # start and size of each, by bit
    sweeps: tuple[tuple[Sweep, ...], ...]  # by layer where CNOTs stand between, else in one piece
    undone: tuple[list[int], ...]  # for each layer, the bits in the order in which their rotations are undone
    ones: np.ndarray  # (N,)
    signs: np.ndarray  # (N,) of the CZs, ones without
    moves: tuple[np.ndarray, np.ndarray] | None
    complex: bool  # whether lanes hold real and imaginary parts
    lanes: int


@lru_cache(maxsize=32)
def program_of(plan: Plan) -> Program:
    """The groups and sweeps of a plan."""
    n, layers = plan.ansatz.qubits, plan.ansatz.layers - plan.absorbed
    count = -(-n // GROUP)
    sizes = [n // count + (i < n % count) for i in range(count)]
    groups = tuple((sum(sizes[:i]), size) for i, size in enumerate(sizes))
    found: list[list[Sweep]] = [[]]
    undone = []
    order = list(groups)
    for layer in range(layers):
        for place, (start, size) in enumerate(order):
            last = found[-1][-1] if found[-1] else None
            if last and last.start == start and last.first + last.count == layer:
                found[-1][-1] = Sweep(start, size, last.first, last.count + 1, last.opens)
            else:
                found[-1].append(Sweep(start, size, layer, 1, place == 0))
        undone.append([start + bit for start, size in reversed(order) for bit in range(size)])
        order.reverse()
        if plan.moves is not None and layer < layers - 1:
            found.append([])
    item = np.dtype(_numpy(plan)).itemsize
    ones = np.ones(2**n, _numpy(plan))
    signs = ones if plan.signs is None else plan.signs.numpy()
    moves = None if plan.moves is None else (plan.moves[0].numpy(), plan.moves[1].numpy())
    complex_ = plan.parts == 2 or plan.dtype.is_complex
    sweeps = tuple(tuple(piece) for piece in found) if layers else ()
    return Program(sizes[0], groups, sweeps, tuple(undone), ones, signs, moves, complex_, kernels.BYTES // item)


def run(plan: Plan, keep: bool, left: Tensor, right: Tensor, weights: Tensor) -> Tensor:
    """Readouts (k, B, M) of a circuit.

    Args:
        plan: of the ansatz, for the CPU.
        keep: whether a gradient may be asked for.
        left: (k, B, P), real or complex: the upper half of the qubits after encoding and absorbed rotations.
        right: (k, B, Q), the lower half.
        weights: (k, L, n, R) of the layers that are left.
    """
    program = program_of(plan)
    samples = program.lanes // 2 if program.complex else program.lanes
    return _Compiled.apply(
        plan,
        keep,
        left.shape[1],
        _rows(left, samples, program.complex),
        _rows(right, samples, program.complex),
        weights,
    )


def _rows(half: Tensor, samples: int, complex_: bool) -> Tensor:
    """(k, B, P) to rows (k, tasks, P, lanes), missing samples nought."""
    k, b, p = half.shape
    tasks = -(-b // samples)
    half = torch.nn.functional.pad(half, (0, 0, 0, tasks * samples - b)).view(k, tasks, samples, p)
    if not complex_:
        return half.transpose(2, 3).contiguous()
    parts = torch.view_as_real(half) if half.is_complex() else torch.stack((half, torch.zeros_like(half)), -1)
    return parts.permute(0, 1, 3, 4, 2).flatten(-2).contiguous()


class _Compiled(torch.autograd.Function):
    """Rows of the product state and weights in, readouts out."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, keep: bool, b: int, left: Tensor, right: Tensor, weights: Tensor) -> Tensor:
        k, per = left.shape[:2]
        out = torch.empty(k, b, plan.ansatz.readouts, dtype=weights.dtype)
        table = _table(plan, weights.numpy(force=True))
        tasks = [(i, j) for i in range(k) for j in range(per)]

        def work(share: Sequence[int]) -> list[np.ndarray]:
            engine = _Engine(plan, b)
            finals = []
            for number in share:
                i, j = tasks[number]
                state = engine.forward(left[i, j].numpy(), right[i, j].numpy(), table.gates[i], table.scales[i])
                engine.measure(state, table.scales[i, -1], j, out[i])
                if keep:
                    finals.append(engine.hand_over())
            return finals

        finals = [torch.from_numpy(state) for share in shared(work, len(tasks), left.device) for state in share]
        # The final states belong to this call: the gradient starts from them.
        ctx.plan, ctx.b, ctx.table = plan, b, table
        ctx.save_for_backward(left, right, *finals)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            found = _Compiled._gradients(ctx, gradient)
        if torch.is_grad_enabled():  # create_graph=True: what comes next must not take these for constants
            found = tuple(OnlyOnce.apply(x.requires_grad_()) for x in found)
        return None, None, None, *found

    @staticmethod
    def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        plan, table = ctx.plan, ctx.table
        left, right, *finals = ctx.saved_tensors
        k, per = left.shape[:2]
        by_left, by_right = torch.zeros_like(left), torch.zeros_like(right)
        tasks = [(i, j) for i in range(k) for j in range(per)]

        def work(share: Sequence[int]) -> np.ndarray:
            engine = _Engine(plan, ctx.b)
            by_weights = np.zeros(table.back.shape, table.back.dtype)
            for number in share:
                i, j = tasks[number]
                sums = engine.backward(
                    finals[number].numpy(), table.scales[i, -1], gradient[i], j, table.gates[i], table.back_scales[i],
                    left[i, j].numpy(), right[i, j].numpy(), by_left[i, j].numpy(), by_right[i, j].numpy(),
                )  # fmt: skip
                by_weights[i] += sums
            return by_weights

        # Added in the order of the shares, so that the same threads give the same bits.
        total = np.stack(shared(work, len(tasks), left.device)).sum(0)
        return by_left, by_right, torch.from_numpy(total * table.back)


@dataclass(frozen=True)
class _Table:
    """What a call's weights mean to the kernels; see `kernels.sweep`."""

    gates: np.ndarray  # (k, L, n, R, 2), by bit
    scales: np.ndarray  # (k, L + 1): factor to be multiplied in before layer d, or at the end
    back_scales: np.ndarray  # (k, L): factor of a layer undone
    back: np.ndarray  # (k, L, n, R): from a gate's sum to its gradient, by qubit as the weights


def _table(plan: Plan, weights: np.ndarray) -> _Table:
    k, layers, n, each = weights.shape
    half = weights[:, :, ::-1].astype(np.float64) / 2  # by bit
    cos, sin = np.cos(half), np.sin(half)
    big = np.abs(sin) > np.abs(cos)
    gates = _aligned((k, layers, n, each, 2), weights.dtype)
    gates[..., 0] = np.where(big, cos, sin) / np.where(big, sin, cos)
    gates[..., 1] = np.array([CODES[gate] for gate in plan.ansatz.rotations]) + big
    scales = np.ones((k, layers + 1))
    scales[:, 1:] = np.where(big, sin, cos).prod((2, 3))
    inverse = np.where(big, -sin, cos)
    # A gate's sum is taken from rows that lack the factors of the gates undone before it in its layer, on both sides.
    back = np.empty((k, layers, n, each))
    for layer, bits in enumerate(program_of(plan).undone):
        order = inverse[:, layer, bits, ::-1].reshape(k, -1)
        before = np.cumprod(np.concatenate([np.ones((k, 1)), order[:, :-1]], 1), 1)
        back[:, layer, bits, ::-1] = (before**2 / 2).reshape(k, n, each)
    dtype = weights.dtype
    return _Table(
        gates,
        scales.astype(dtype),
        inverse.prod((2, 3)).astype(dtype),
        np.ascontiguousarray(back[:, :, ::-1]).astype(dtype),
    )


class _Engine:
    """One thread's workspace for tasks of a plan.

    Args:
        plan: of the circuit.
        b: samples in all.
    """

    def __init__(self, plan: Plan, b: int) -> None:
        self.plan, self.program, self.b = plan, program_of(plan), b
        self.n, self.dtype = plan.ansatz.qubits, _numpy(plan)
        self.rows = 2**self.n + (2**self.n - 1 >> self.program.low)
        self.samples = self.program.lanes // 2 if self.program.complex else self.program.lanes
        self.buffer = _aligned((2, 2**GROUP, self.program.lanes), self.dtype)
        self.one = self.dtype.type(1)
        self.state = self._room()
        self.spare = self._room()
        self.pair: np.ndarray | None = None
        self.table = torch.empty(min(b, self.samples), 2**self.n, dtype=plan.dtype.to_real())

    def _room(self, *more: int) -> np.ndarray:
        return _aligned((*more, self.rows, self.program.lanes), self.dtype)

    def hand_over(self) -> np.ndarray:
        """The last result, to keep."""
        state, self.state = self.state, self._room()
        return state

    def forward(self, left: np.ndarray, right: np.ndarray, gates: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """The final state, but for the last layer's factor and CZs."""
        p, low = self.program, self.program.low
        kernels.begin(self.state, low, left, right, int(p.complex), self.one)
        for piece in p.sweeps:
            self._permute()
            for sweep in piece:
                self._sweep(self.state, self.state, sweep, gates, scales)
        self._permute()
        return self.state

    def measure(self, state: np.ndarray, scale: Any, task: int, out: Tensor) -> None:
        """Write the readouts of a final state that lacks a factor `scale` into out (B, M)."""
        b = min(self.samples, self.b - task * self.samples)
        values = out[task * self.samples :][:b]
        for family in self.plan.families:
            turned, factor = self._turned(state, scale, family)
            p = self.table[:b]
            passes.probabilities(turned, self.program.low, int(self.program.complex), factor, p.numpy())
            if family.signs is None:
                values.copy_(p)
                return
            left, right = family.signs
            table = left @ (p.view(b, left.shape[1], right.shape[0]) @ right)
            values[:, family.places] = table[:, family.halves[0], family.halves[1]]

    def backward(
        self,
        final: np.ndarray,
        scale: Any,
        gradient: Tensor,
        task: int,
        gates: np.ndarray,
        scales: np.ndarray,
        left: np.ndarray,
        right: np.ndarray,
        by_left: np.ndarray,
        by_right: np.ndarray,
    ) -> np.ndarray:
        """Write the gradients of the product state, and return (L, n, R) sums of the gates', by qubit."""
        p, low = self.program, self.program.low
        # Asked for once: fresh pages cost as much as the arithmetic that fills them.
        self.pair = both = self._room(2) if self.pair is None else self.pair
        b = min(self.samples, self.b - task * self.samples)
        wanted = gradient[task * self.samples :][:b]
        for number, family in enumerate(self.plan.families):
            turned, factor = self._turned(final, scale, family)
            if turned is final:
                turned, factor = self.spare, self.one
                passes.copy(turned, final, low, p.signs, scale)
            if family.signs is None:
                diagonal = 2 * wanted
            else:
                rows, columns = family.signs
                table = wanted.new_zeros(b, rows.shape[0], columns.shape[1])
                table[:, family.halves[0], family.halves[1]] = 2 * wanted[:, family.places]
                diagonal = (rows.T @ table @ columns.T).view(b, -1)
            passes.weigh(turned, low, int(p.complex), diagonal.contiguous().numpy())
            self._turn_back(turned, family)
            # The signs of the last CZs are undone on the way; on the state they cancel.
            (passes.add if number else passes.copy)(both[1], turned, low, p.signs, factor)
        passes.copy(both[0], final, low, p.ones, scale)
        self._unpermute(both)
        layers, _, each = gates.shape[:3]
        sums = _aligned((layers, self.n, each, p.lanes), self.dtype)
        sums[:] = 0
        for piece in reversed(p.sweeps):
            for sweep in reversed(piece):
                kernels.sweep_back(
                    both, self.buffer, low, self.n, sweep.start, sweep.size, sweep.first, sweep.count, sweep.opens,
                    gates, p.signs, scales, sums,
                )  # fmt: skip
            self._unpermute(both)
        kernels.begin_back(both[1], low, left, right, by_left, by_right, int(p.complex), self.one)
        return sums.sum(-1)[:, ::-1]

    def _sweep(
        self, source: np.ndarray, state: np.ndarray, sweep: Sweep, gates: np.ndarray, scales: np.ndarray
    ) -> None:
        kernels.sweep(
            source, state, self.buffer[0], self.program.low, self.n, sweep.start, sweep.size, sweep.first, sweep.count,
            sweep.opens, gates, self.program.signs, scales,
        )  # fmt: skip

    def _permute(self) -> None:
        moves = self.program.moves
        if moves is not None:
            passes.permute(self.spare, self.state, self.program.low, moves[0])
            self.state, self.spare = self.spare, self.state

    def _unpermute(self, both: np.ndarray) -> None:
        moves = self.program.moves
        if moves is not None:
            for side in both:
                passes.permute(self.spare, side, self.program.low, moves[1])
                side[:] = self.spare

    def _turned(self, state: np.ndarray, scale: Any, family: Family) -> tuple[np.ndarray, Any]:
        """A final state that lacks `scale` in a family's basis, and the factor that its probabilities lack."""
        others = sum(letter != "Z" for letter in family.letters)
        if others == 0:
            return state, scale * scale
        gates, scales = self._basis(family, 1), np.array([scale], self.dtype)
        for i, (start, size) in enumerate(self.program.groups):
            self._sweep(self.spare if i else state, self.spare, Sweep(start, size, 0, 1, i == 0), gates, scales)
        return self.spare, self.dtype.type(0.5**others)

    def _turn_back(self, state: np.ndarray, family: Family) -> None:
        """Undo `_turned` in place, but for the same factor."""
        if set(family.letters) == {"Z"}:
            return
        gates, scales = self._basis(family, -1), np.ones(1, self.dtype)
        for start, size in self.program.groups:
            self._sweep(state, state, Sweep(start, size, 0, 1, False), gates, scales)

    def _basis(self, family: Family, direction: int) -> np.ndarray:
        gates = _aligned((1, self.n, 1, 2), self.dtype)
        for qubit, letter in enumerate(family.letters):
            gate, angle = TO_Z[letter]
            gates[0, self.n - 1 - qubit, 0] = direction * np.tan(angle / 2), CODES[gate]
        return gates


def _numpy(plan: Plan) -> np.dtype[Any]:
    return np.dtype(np.float64 if plan.dtype.to_real() == torch.float64 else np.float32)


def _aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array that starts at a row's boundary; torch's allocator sees to that."""
    kind = torch.float64 if np.dtype(dtype) == np.float64 else torch.float32
    return torch.empty(shape, dtype=kind).numpy()
