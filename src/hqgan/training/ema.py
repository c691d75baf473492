"""Exponential moving average of a generator's weights and buffers, its half-life given in images."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def averaged_copy(module: nn.Module) -> nn.Module:
    """A copy for `update` to move; in evaluation mode and without gradients."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update(average: nn.Module, module: nn.Module, images_seen: int, images: int, half_life: float) -> None:
    """Move `average` towards `module` after a step.

    Args:
        average: made by `averaged_copy`.
        module: the trained network.
        images_seen: real images shown so far; the half-life never exceeds a twentieth of that, so that the untrained
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


@torch.no_grad()
def recalibrate_batch_norm(average: nn.Module, noise: torch.Tensor, labels: torch.Tensor, batch: int = 64) -> None:
    """Measure the statistics of the batch norms of `average` again.

    Averaged weights make other activations than the trained ones, and the averaged statistics are those of neither
    (arXiv 1803.05407, section 3.3). What comes out depends on the weights, noise and labels alone.

    Args:
        average: a generator made by `averaged_copy`; only its norms' statistics change.
        noise: (N, noise_size), standard normal.
        labels: (N,), in the mix of training.
        batch: images at a time.
    """
    norms = [module for module in average.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for z, y in zip(noise.split(batch), labels.split(batch), strict=True):
        average(z, y)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
