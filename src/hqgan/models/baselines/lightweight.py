"""Lightweight GAN (Liu et al., arXiv 2101.04775), class-conditional and sized for 64x64.

Left out of theirs: noise injected between layers, and the perceptual distance of the critic's redrawing, which needs a
network trained on other images; here it is the mean absolute difference.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from hqgan.config.critics import LightweightCriticConfig
from hqgan.config.generators import LightweightConfig
from hqgan.models.base import Generator
from hqgan.models.critic import Critic
from hqgan.runtime.random_streams import RandomStream


class Enlarge(nn.Conv2d):
    """To twice the size: nearest neighbour, then a 3x3 convolution without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        # Each pixel goes to 2x2 places and from each to 3x3: to 4x4 in all, as a transposed convolution has it, whose kernel is
        # the sum of four shifted ones. The same numbers for four ninths of the multiplications.
        kernel = F.pad(self.weight.flip(2, 3), [1, 1, 1, 1])
        kernel = kernel[:, :, 1:] + kernel[:, :, :-1]
        kernel = kernel[..., 1:] + kernel[..., :-1]
        # What comes out lies as the kernel does.
        kernel = kernel.transpose(0, 1).contiguous(memory_format=torch.channels_last)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)


class Gate(nn.Module):
    """A gated linear unit over channels; torch's own lays gradients out otherwise than maps, which slows batch norm tenfold."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 2 C, H, W) to (B, C, H, W)."""
        kept, gate = x.chunk(2, 1)
        return kept * gate.sigmoid()


def up(inputs: int, outputs: int) -> nn.Sequential:
    """To twice the size: nearest neighbour, convolution, batch norm, gated linear unit."""
    return nn.Sequential(Enlarge(inputs, 2 * outputs), nn.BatchNorm2d(2 * outputs), Gate())


class SkipExcitation(nn.Module):
    """Channels of a large map weighed by a small map (section 3.1): a skip connection of few numbers over many layers."""

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Conv2d(small, large, 4), nn.SiLU(), nn.Conv2d(large, large, 1), nn.Sigmoid()
        )

    def forward(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """(B, small, h, w) and (B, large, H, W) to the latter's shape."""
        return large * self.weigh(small)


class LightweightGenerator(Generator):
    """Noise and class embedding to 4x4, gated up-sampling, excitation from 4 to 32 and from 8 to 64 pixels.

    Args:
        config: widths.
        classes: number of classes.
        size: of the images, in pixels.
    """

    def __init__(self, config: LightweightConfig, classes: int, size: int) -> None:
        super().__init__()
        self.noise_size = config.latent
        self.embedding = nn.Embedding(classes, config.class_embedding)
        widths = config.channels[: {32: 4, 64: 5}[size]]
        self.encoder = nn.Sequential(
            nn.Linear(config.latent + config.class_embedding, 2 * widths[0] * 16, bias=False),
            nn.Unflatten(1, (2 * widths[0], 4, 4)),
            nn.BatchNorm2d(2 * widths[0]),
            Gate(),
        )
        self.ups = nn.ModuleList(up(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.skips = nn.ModuleList(SkipExcitation(a, b) for a, b in zip(widths, widths[3:], strict=False))
        self.out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        maps = [self.encoder(torch.cat([noise, self.embedding(labels)], 1))]
        for i, layer in enumerate(self.ups):
            x = layer(maps[-1])
            maps.append(x if i < 2 else self.skips[i - 2](maps[i - 2], x))
        return torch.tanh(self.out(maps[-1]))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Disjoint parameter lists that together hold every parameter."""
        return {
            "encoder": [*self.embedding.parameters(), *self.encoder.parameters()],
            "decoder": [*self.ups.parameters(), *self.skips.parameters(), *self.out.parameters()],
        }


class Down(nn.Module):
    """To half the size by two ways, averaged: convolutions, and pooling with one 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        )
        self.side = nn.Sequential(
            nn.AvgPool2d(2),
            spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False)),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        return (self.main(x) + self.side(x)) / 2


class LightweightCritic(Critic):
    """Scores at every place of a 4x4 map, averaged, and a class projection; decoders that redraw real images from its maps.

    Args:
        config: widths.
        classes: number of classes.
        size: of the images, in pixels.
    """

    def __init__(self, config: LightweightCriticConfig, classes: int, size: int) -> None:
        super().__init__()
        a, b, c, d = config.channels
        self.first = nn.Sequential(spectral_norm(nn.Conv2d(3, a, 4, stride=2, padding=1)), nn.LeakyReLU(0.2))
        self.to_part, self.to_whole, self.last = Down(a, b), Down(b, c), Down(c, d)
        self.score = spectral_norm(nn.Conv2d(d, 1, 1))
        self.projection = nn.Embedding(classes, d)
        # From size / 8 to half the size; a quarter of the map at size / 4, too, so that both redraw size / 2 pixels.
        self.whole = nn.Sequential(up(c, 64), up(64, 32), nn.Conv2d(32, 3, 3, padding=1), nn.Tanh())
        self.part = nn.Sequential(up(b, 64), up(64, 32), nn.Conv2d(32, 3, 3, padding=1), nn.Tanh())
        self.size = size

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores (B,) of images (B, 3, size, size) in [-1, 1] as members of classes (B,); higher is more real."""
        x = self.last(self.to_whole(self.to_part(self.first(images))))
        return self.score(x).mean((1, 2, 3)) + (self.projection(labels) * x.mean((2, 3))).mean(1)

    def auxiliary(self, images: torch.Tensor, draws: RandomStream) -> torch.Tensor:
        """How far real images are from what the decoders redraw: the whole at half the size, and a random quarter."""
        part = self.to_part(self.first(images))
        half, cell = self.size // 2, self.size // 8
        y, x = (int(torch.randint(0, cell + 1, (), generator=draws.source)) for _ in range(2))
        whole = self.whole(self.to_whole(part))
        quarter = self.part(part[:, :, y : y + cell, x : x + cell])
        wanted = images[:, :, 4 * y : 4 * y + half, 4 * x : 4 * x + half]
        return (whole - F.avg_pool2d(images, 2)).abs().mean() + (quarter - wanted).abs().mean()
