"""Adversarial losses and gradient penalties. Scores are (B,) tensors; higher means more real."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from hqgan.runtime.random_streams import RandomStream

Gradient = Callable[[torch.Tensor], torch.Tensor]


def critic_loss(kind: str, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """What the critic minimises.

    Args:
        kind: ``wgan-gp`` (arXiv 1704.00028, without its penalty), ``hinge`` (1705.02894), ``logistic`` (1406.2661) or
            ``relativistic`` (1807.00734, the pairing loss of 2501.05441).
        real: scores of real images.
        fake: scores of generated images, one beside each real one.
    """
    match kind:
        case "wgan-gp":
            return fake.mean() - real.mean()
        case "hinge":
            return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        case "logistic":
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        case "relativistic":
            return F.softplus(fake - real).mean()
    raise ValueError(f"unknown loss {kind!r}")


def generator_loss(kind: str, fake: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
    """What the generator minimises; only ``relativistic`` looks at the real scores."""
    match kind:
        case "wgan-gp" | "hinge":
            return -fake.mean()
        case "logistic":
            return F.softplus(-fake).mean()
        case "relativistic":
            assert real is not None
            return F.softplus(real - fake).mean()
    raise ValueError(f"unknown loss {kind!r}")


def gradient_penalty(gradient: Gradient, real: torch.Tensor, fake: torch.Tensor, draws: RandomStream) -> torch.Tensor:
    """Mean (|grad| - 1)^2 at random points between real and generated images (arXiv 1704.00028, equation 3).

    Args:
        gradient: of the scores by the images, differentiable by the critic's weights.
        real: (B, 3, H, W).
        fake: as many generated ones.
        draws: of the points.
    """
    mix = draws.uniform(len(real), 1, 1, 1).to(real.device)
    return unit_penalty(gradient, mix * real + (1 - mix) * fake)


def unit_penalty(gradient: Gradient, images: torch.Tensor) -> torch.Tensor:
    """Mean (|grad| - 1)^2 at `images` (B, 3, H, W)."""
    squares = gradient(images).square().sum((1, 2, 3))
    # The offset keeps the square root's derivative finite where a gradient vanishes.
    return ((squares + 1e-12).sqrt() - 1).square().mean()


def zero_centered_gradient_penalty(gradient: Gradient, images: torch.Tensor) -> torch.Tensor:
    """Half the mean squared gradient norm of the score at `images` (R1 on real ones, arXiv 1801.04406, equation 9)."""
    return gradient(images).square().sum((1, 2, 3)).mean() / 2


def gradient_of(score: Callable[[torch.Tensor], torch.Tensor]) -> Gradient:
    """The gradient of any scores (B,) by images, as autograd finds it, to be differentiated again."""

    def gradient(images: torch.Tensor) -> torch.Tensor:
        images = images.detach().requires_grad_(True)
        return torch.autograd.grad(score(images).sum(), images, create_graph=True)[0]

    return gradient
