"""Building blocks of the generators."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class RunningNorm(nn.Module):
    """Take away the running mean and divide by the running deviation, in training as in evaluation.

    Batch norm would normalise by the batch at hand in training. Where the classes of a batch lie far apart and most of it is
    one class, that is another function than the one with running statistics (docs/lab.md); here they are the same.

    Args:
        features: of the (B, features) input.
        momentum: weight of a new batch in the statistics.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    seen: torch.Tensor

    def __init__(self, features: int, momentum: float = 0.02) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, features) to the same; no gradient flows through the statistics."""
        if self.training:
            with torch.no_grad():
                # The first batches count in full, so that the start's zeros and ones are forgotten.
                self.seen += 1
                weight = max(self.momentum, 1 / int(self.seen))
                centred = x - self.mean
                self.mean.lerp_(x.mean(0), weight)
                # About the running mean, so that what differs between batches counts as well.
                self.variance.lerp_((centred * (x - self.mean)).mean(0).clamp_min(0), weight)
        return (x - self.mean) * (self.variance + 1e-4).rsqrt()


class NoisyUp(nn.Module):
    """Residual up block with learnt noise injection, of the paper's decoder "style2".

    Args:
        inputs, outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.strength = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) and noise (B, 1, 2H, 2W) to (B, outputs, 2H, 2W)."""
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        h = F.leaky_relu(self.first(x), 0.2) + self.strength * noise
        return F.leaky_relu(self.second(h), 0.2) + self.skip(x)
