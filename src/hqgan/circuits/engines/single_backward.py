"""A gradient that must not be differentiated again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def only_once(gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a backward pass found, so that to differentiate it is refused where a graph of it is asked for."""
    if not torch.is_grad_enabled():
        return gradients
    # create_graph=True: what comes next must not take these for constants.
    return tuple(_OnlyOnce.apply(x.requires_grad_()) for x in gradients)


class _OnlyOnce(torch.autograd.Function):
    """The identity, which cannot be differentiated.

    torch's own ``once_differentiable`` lets a second derivative pass, wrong, when the loss is linear in the readout.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The same values."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Refuse."""
        raise RuntimeError(
            "A circuit can be differentiated once, not twice: the adjoint method has no second derivative, so circuits "
            "cannot stand inside a gradient penalty."
        )
