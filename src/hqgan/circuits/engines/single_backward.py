"""A gradient that must not be differentiated again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

Gradients = tuple[Tensor | None, ...]


def single_backward(backward: Callable[[Any, Tensor], Gradients]) -> Callable[[Any, Tensor], Gradients]:
    """A function's backward pass, run without autocast, whose gradients raise RuntimeError when they are differentiated again."""

    @wraps(backward)
    def run(ctx: Any, gradient: Tensor) -> Gradients:
        with torch.no_grad(), torch.autocast(gradient.device.type, enabled=False):
            gradients = backward(ctx, gradient)
        if not torch.is_grad_enabled():
            return gradients
        # create_graph=True: these must not pass for constants.
        return tuple(None if x is None else _SingleBackward.apply(x.requires_grad_()) for x in gradients)

    return run


class _SingleBackward(torch.autograd.Function):
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
