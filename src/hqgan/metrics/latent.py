"""The geometry of a generator: how many directions of its latent an image follows, and how evenly it moves along a path."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

Map = Callable[[torch.Tensor], torch.Tensor]
"""From latents (B, Z) to what depends on them, (B, ...)."""

STEP = 1e-6
"""Step of the central differences, in deviations of the latent: short, since a ReLU's kink inside a step falsifies it, which
float64 allows."""

POINTS = 17
"""Points on a path between two latents."""


@torch.no_grad()
def jacobian(f: Map, z: torch.Tensor, step: float = STEP) -> torch.Tensor:
    """Derivative (Z, P) of a map at one latent (Z,), in its precision: float64, for the difference of near numbers.

    Central differences, since the circuits' adjoint method has no forward mode.
    """
    steps = step * torch.eye(len(z), dtype=z.dtype, device=z.device)
    ahead, behind = f(z + steps), f(z - steps)
    return (ahead - behind).flatten(1) / (2 * step)


def spectrum(matrix: torch.Tensor) -> np.ndarray:
    """Singular values (Z,) of a Jacobian (Z, P), largest first."""
    values = torch.linalg.eigvalsh(matrix @ matrix.T).clamp_min(0).sqrt()
    return values.flip(0).cpu().numpy()


def effective_rank(singular_values: np.ndarray) -> float:
    """Exp of the entropy of normalised singular values: Z where all are alike, 1 where one does everything, 0 for a map to
    zero.

    References:
        Roy & Vetterli, "The effective rank: a measure of effective dimensionality", 2007.
    """
    total = singular_values.sum()
    if total <= 0:
        return 0.0
    p = singular_values / total
    return float(np.exp(-(p * np.log(np.maximum(p, 1e-300))).sum()))


def path(a: torch.Tensor, b: torch.Tensor, points: int = POINTS) -> torch.Tensor:
    """(points, Z) on the great circle from latent `a` (Z,) to `b`, lengths interpolated linearly: normal latents stay normal."""
    t = torch.linspace(0, 1, points, dtype=a.dtype, device=a.device)[:, None]
    angle = torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1 + 1e-7, 1 - 1e-7))
    one, two = a / a.norm(), b / b.norm()
    direction = (torch.sin((1 - t) * angle) * one + torch.sin(t * angle) * two) / torch.sin(angle)
    return direction * ((1 - t) * a.norm() + t * b.norm())


def smoothness(images: np.ndarray) -> tuple[float, float]:
    """How evenly images (T, ...) change along a path, and how straight.

    Returns:
        The mean step over the largest (1: even; near 0: all at once), and the path's length over the distance of its ends
        (1: straight), steps being root mean square differences of pixels.
    """
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    steps = np.sqrt(np.square(np.diff(flat, axis=0)).mean(1))
    ends = float(np.sqrt(np.square(flat[-1] - flat[0]).mean()))
    return float(steps.mean() / max(steps.max(), 1e-12)), float(steps.sum() / max(ends, 1e-12))
