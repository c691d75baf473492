"""Building blocks of the generators: modulation by a style, and the paper's up block."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Modulation(nn.Module):
    """Batch norm whose gain and offset are linear in a style vector (conditional batch norm, arXiv 1707.03017).

    Args:
        channels: of the feature map.
        style: length of the style vector.
    """

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(style, 2 * channels)
        # Start as plain batch norm with a faint dependence on the style: a strong one makes the first steps noisy.
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) and (B, style) to (B, C, H, W)."""
        gain, offset = self.affine(style)[..., None, None].chunk(2, dim=1)
        return self.norm(x) * (1 + gain) + offset


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
        x = upsample(x)
        h = F.leaky_relu(self.first(x), 0.2) + self.strength * noise
        return F.leaky_relu(self.second(h), 0.2) + self.skip(x)


def upsample(x: torch.Tensor) -> torch.Tensor:
    """Double height and width, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
