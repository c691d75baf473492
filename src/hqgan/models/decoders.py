"""From the fused 8x8 feature map to an image: the paper's two decoders and the project's own."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.models.blocks import ConditionalUp, NoisyUp


class VanillaDecoder(nn.Module):
    """Linear 2048 -> 4096 and ReLU, three transposed convolutions 64-32-16-3, tanh (arXiv 2506.21015); 64x64 only."""

    noise_size = 0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * 64, 4096)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: torch.Tensor, labels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, C, 8, 8) to (B, 3, 64, 64); uses neither labels nor noise."""
        return self.up(F.relu(self.linear(x.flatten(1))).reshape(-1, 64, 8, 8))


class Style2Decoder(nn.Module):
    """Residual up blocks with learnt noise injection, two convolutions to 3, tanh (arXiv 2506.21015, "style2")."""

    def __init__(self, channels: int, widths: tuple[int, ...], size: int) -> None:
        super().__init__()
        ups = {32: 2, 64: 3}[size]
        steps = (channels, *widths[:ups])
        self.blocks = nn.ModuleList(NoisyUp(a, b) for a, b in zip(steps, steps[1:], strict=False))
        self.sizes = [16 * 2**i for i in range(ups)]
        self.noise_size = sum(s * s for s in self.sizes)
        self.out = nn.Sequential(
            nn.Conv2d(steps[-1], steps[-1], 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(steps[-1], 3, 3, padding=1)
        )

    def forward(self, x: torch.Tensor, labels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, C, 8, 8) and noise (B, noise_size) to (B, 3, size, size); uses no labels."""
        maps = noise.split([s * s for s in self.sizes], dim=1)
        for block, size, values in zip(self.blocks, self.sizes, maps, strict=True):
            x = block(x, values.reshape(-1, 1, size, size))
        return torch.tanh(self.out(x))


class TransposedDecoder(nn.Module):
    """The project's own: norm by class, ReLU and a transposed convolution for each doubling, tanh.

    Args:
        channels: of the fused map.
        widths: channels at 16 and 32 pixels.
        size: of the images.
        classes: number of classes.
    """

    noise_size = 0

    def __init__(self, channels: int, widths: tuple[int, ...], size: int, classes: int) -> None:
        super().__init__()
        steps = (channels, *widths[: {32: 1, 64: 2}[size]])
        self.layers = nn.ModuleList(ConditionalUp(a, b, classes) for a, b in zip(steps, (*steps[1:], 3), strict=True))

    def forward(self, x: torch.Tensor, labels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, C, 8, 8) and labels (B,) to (B, 3, size, size); uses no noise."""
        for layer in self.layers:
            x = layer(x, labels)
        return torch.tanh(x)
