"""Exponential moving average of a generator's weights and buffers, its half-life given in images."""

from __future__ import annotations

import copy

import torch
from torch import nn


def averaged_copy(module: nn.Module) -> nn.Module:
    """A copy for `update` to move; in evaluation mode and without gradients."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update(average: nn.Module, module: nn.Module, images_seen: int, images: int, half_life: float) -> None:
    """Move `average` towards `module` after a step.

    Args:
        average: made by `averaged_copy`.
        module: the trained network.
        images_seen: real images shown so far; the half-life never exceeds a twentieth of it, so that the untrained
            start is forgotten (arXiv 1912.04958's ramp-up).
        images: real images of this step.
        half_life: in images; 0 copies.
    """
    half_life = min(half_life, images_seen / 20)
    decay = 0.5 ** (images / half_life) if half_life > 0 else 0.0
    theirs = module.state_dict()
    for name, mine in average.state_dict().items():
        if mine.is_floating_point():
            mine.lerp_(theirs[name].to(mine.dtype), 1 - decay)
        else:
            mine.copy_(theirs[name])
