"""Building blocks of the generators."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ConditionalNorm(nn.Module):
    """Batch norm whose scale and shift belong to the class (de Vries et al., arXiv 1707.00683).

    The class changes what stands in the channels, not where: a lesion's kind says nothing about its place in the image.

    Args:
        channels: of the input.
        classes: number of classes; they start a tenth apart, about scale 1 and shift 0.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Parameter(1 + 0.1 * torch.randn(classes, channels))
        self.shift = nn.Parameter(0.1 * torch.randn(classes, channels))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) and labels (B,) to the same shape."""
        return torch.addcmul(self.shift[labels][..., None, None], self.norm(x), self.scale[labels][..., None, None])


class ConditionalUp(nn.Module):
    """Norm by class, ReLU and a transposed convolution to twice the size."""

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.norm = ConditionalNorm(inputs, classes)
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) and labels (B,) to (B, outputs, 2H, 2W)."""
        return self.convolution(F.relu(self.norm(x, labels)))


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
