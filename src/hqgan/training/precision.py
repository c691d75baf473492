"""Automatic mixed precision of forward passes."""

from __future__ import annotations

from collections.abc import Callable

import torch


class Autocast:
    """Runs forward passes in bfloat16 where the precision is ``bf16-mixed``; circuits choose their own precision.

    Args:
        precision: see `hqgan.config.TrainingConfig`.
    """

    def __init__(self, precision: str) -> None:
        self.enabled = precision == "bf16-mixed"

    def __call__(self, like: torch.Tensor) -> torch.autocast:
        """A context for forward passes on the device of `like`.

        Without torch's cache of converted weights: a weight that was converted where no gradients are recorded, as in the
        critic's own derivative, would be reused where they are, and get no gradient.
        """
        return torch.autocast(like.device.type, torch.bfloat16, enabled=self.enabled, cache_enabled=False)

    def around(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        """The same function, computed in this precision; its result has the dtype of its argument."""

        def narrowed(x: torch.Tensor) -> torch.Tensor:
            with self(x):
                return function(x).to(x.dtype)

        return narrowed
