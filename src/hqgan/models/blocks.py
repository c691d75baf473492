"""Building blocks of the generators."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


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
