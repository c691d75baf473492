"""The simulator: every sample of every sub-generator in one call, differentiable once by the adjoint method.

This module only chooses how to run a circuit. If its readouts depend on few qubits, it is cut down to its `light_cones`. On a
CPU, the engine for small circuits or the compiled engine for large ones runs it; elsewhere, the torch engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines import torch_engine
from hqgan.circuits.engines.gates import amplitudes_of, postselected
from hqgan.circuits.engines.plan import check_memory, make_plan, no_autocast
from hqgan.circuits.light_cones import Cone, light_cones
from hqgan.errors import UserError

SMALL = 11
"""Qubits up to which a CPU uses the engine for small circuits, whose states fit into a core's cache many at a time."""
CONES_BELOW = 1 / 8
"""Light cones are used where their states have less than this fraction of the whole state's numbers; a number costs more in many
small circuits than in a large one."""


def simulate(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
    """Run a circuit for every sample and sub-generator.

    Differentiable once, by angles and weights. Computes in float64 if an argument is float64, else in float32.

    Args:
        ansatz: the circuit.
        angles: (B, k, n) encoding angles in radians.
        weights: (k, L, n, R) in radians; row i is sub-generator i's.

    Returns:
        (B, k, M) readouts: expectations in [-1, 1] in the order of the ansatz, or probabilities of the basis states.

    Raises:
        UserError: The shapes do not fit the ansatz or each other, an argument is not finite, a state of so many qubits does not
            fit into memory, or the engine does not know the entangler.
    """
    check_inputs(ansatz, angles, weights)
    dtype = torch.promote_types(torch.promote_types(angles.dtype, weights.dtype), torch.float32)
    if angles.shape[0] == 0 or angles.shape[1] == 0:
        return angles.new_zeros(*angles.shape[:2], ansatz.readouts, dtype=dtype)
    angles, weights = angles.to(dtype), weights.to(dtype)
    with no_autocast(angles.device):
        if ansatz.ancillas:
            return postselected(ansatz, _whole(replace(ansatz, ancillas=0), angles, weights))
        cones = light_cones(ansatz)
        if sum(2.0**cone.ansatz.qubits for cone in cones) < CONES_BELOW * 2.0**ansatz.qubits:
            return over_cones(cones, _whole, angles, weights)
        return _whole(ansatz, angles, weights)


def over_cones(
    cones: tuple[Cone, ...], run: Callable[[Ansatz, Tensor, Tensor], Tensor], angles: Tensor, weights: Tensor
) -> Tensor:
    """Readouts (B, k, M) of a circuit from those of its cones; cones of equal circuits are sub-generators of one call."""
    alike: dict[Ansatz, list[Cone]] = {}
    for cone in cones:
        alike.setdefault(cone.ansatz, []).append(cone)
    found = []
    for ansatz, members in alike.items():
        qubits = torch.tensor([cone.qubits for cone in members], device=angles.device)  # (c, m)
        x = angles[:, :, qubits].flatten(1, 2)
        w = weights[:, :, qubits].transpose(1, 2).flatten(0, 1)  # (k, L, c, m, R) -> (k c, L, m, R)
        found.append(run(ansatz, x, w).unflatten(1, (-1, len(members))).flatten(2))
    places = [place for members in alike.values() for cone in members for place in cone.places]
    return torch.cat(found, 2)[:, :, torch.tensor(places, device=angles.device).argsort()]


def _whole(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
    """Readouts (B, k, M) from whole states, on the engine that suits; the arguments have one real type."""
    check_memory(ansatz, angles.dtype, angles.device)
    keep = torch.is_grad_enabled() and (angles.requires_grad or weights.requires_grad)
    engine = engine_for(ansatz, angles.device)
    if engine == "small":
        from hqgan.circuits.engines import small  # compiles, or loads what was compiled before

        return small.run(ansatz, keep, angles, weights)
    plan = make_plan(ansatz, angles.dtype, angles.device)
    # Contiguous: torch would wake its threads for the cosines of a transposed view, and they would stay in the way.
    amplitudes = amplitudes_of(ansatz, angles.transpose(0, 1).contiguous(), weights[:, : plan.absorbed])
    run = torch_engine.run
    if engine == "compiled":
        from hqgan.circuits.engines.numba.engine import run
    return run(plan, keep, amplitudes, weights).transpose(0, 1)


def engine_for(ansatz: Ansatz, device: torch.device) -> Literal["small", "compiled", "torch"]:
    """The engine that runs whole states of a circuit on a device."""
    if device.type != "cpu":
        return "torch"
    return "small" if ansatz.qubits <= SMALL else "compiled"


def check_inputs(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> None:
    """Raise UserError unless angles are (B, k, n) and weights (k, L, n, R) of this ansatz, and all of them finite numbers."""
    k = weights.shape[0] if weights.ndim else 0
    if weights.ndim != 4 or tuple(weights.shape[1:]) != ansatz.weight_shape:
        wanted = ", ".join(map(str, ansatz.weight_shape))
        raise UserError(f"Weights of this ansatz are (k, {wanted}) for k sub-generators, not {tuple(weights.shape)}.")
    if angles.ndim != 3 or tuple(angles.shape[1:]) != (k, ansatz.qubits):
        wanted = f"(B, {k}, {ansatz.qubits})"
        raise UserError(f"Angles are {wanted} for a batch of B, {k} sub-generators, not {tuple(angles.shape)}.")
    for name, values in (("angles", angles), ("weights", weights)):
        if wrong := int((~values.detach().isfinite()).sum()):
            raise UserError(
                f"{wrong:,} of a circuit's {values.numel():,} {name} are not finite numbers; if that is in training, it has "
                "diverged, and lower learning rates may help."
            )
