"""The first layers of a circuit on two halves of its qubits, which a few branches join.

A CZ between the halves is a sum of two products: its upper qubit is found in state s, and Z^s acts on the lower one. So a layer
with c such CZs turns a sum of e products into one of 2^c e, and its rotations act on vectors of 2^(n/2) numbers, not 2^n.
"""

from __future__ import annotations

import itertools
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from hqgan.circuits.engines.plan import Plan, bit_of, pair_signs
from hqgan.circuits.entanglers import ENTANGLERS

MOST = 16
"""Branches that cost less than the layers they save (docs/lab.md)."""


class Split(NamedTuple):
    """How a circuit begins on two halves."""

    layers: int  # whose rotations are taken on the halves, `plan.absorbed` or more
    masks: tuple[Tensor, Tensor] | None  # (b, 2^upper) and (b, 2^lower) of a layer's CZs, by branch; None if not needed


@lru_cache(maxsize=32)
def split_of(plan: Plan, lower: int, sizes: range) -> Split:
    """The halves of a plan, the lower one of so many qubits, if they are of one of these sizes."""
    ansatz = plan.ansatz
    upper = ansatz.qubits - lower
    counts = Counter((min(pair), max(pair)) for pair in ansatz.pairs)  # two CZs on the same pair undo each other
    crossing = [pair for pair, count in counts.items() if count % 2 and pair[0] < upper <= pair[1]]
    layers = plan.absorbed
    is_cz = ansatz.entangler in ENTANGLERS and ENTANGLERS[ansatz.entangler].signs == (1, 1, 1, -1)
    if is_cz and lower in sizes and upper in sizes and not plan.dtype.is_complex:
        while layers < ansatz.layers and 2 ** (len(crossing) * layers) <= MOST:
            layers += 1
    if layers == plan.absorbed:
        return Split(layers, None)
    with torch.inference_mode(False), torch.no_grad():
        return Split(layers, _masks(plan, upper, crossing))


def _masks(plan: Plan, upper: int, crossing: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """A layer's CZs on each half, by branch: signs within, and for each crossing CZ the upper qubit's value and Z^s."""
    n = plan.ansatz.qubits
    cpu, ansatz, pairs = torch.device("cpu"), plan.ansatz, plan.ansatz.pairs
    within = [
        pair_signs(ansatz, [(a, b) for a, b in pairs if max(a, b) < upper], upper, cpu),
        pair_signs(ansatz, [(a - upper, b - upper) for a, b in pairs if min(a, b) >= upper], n - upper, cpu),
    ]
    above, below = torch.arange(2**upper), torch.arange(2 ** (n - upper))
    masks: tuple[list[Tensor], list[Tensor]] = [], []
    for values in itertools.product((0, 1), repeat=len(crossing)):
        found, odd = torch.ones_like(above), torch.zeros_like(below)
        for value, pair in zip(values, crossing, strict=True):
            found *= bit_of(above, min(pair), upper) == value
            odd ^= value & bit_of(below, max(pair) - upper, n - upper)
        masks[0].append(within[0] * found)
        masks[1].append(within[1] * (1 - 2 * odd))
    kind = plan.dtype.to_real()
    return torch.stack(masks[0]).to(kind), torch.stack(masks[1]).to(kind)
