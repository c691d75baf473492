"""Denoising diffusion (Ho et al., arXiv 2006.11239), class-conditional; images by DDIM (Song et al., arXiv 2010.02502).

A small U-Net of residual blocks with self-attention at its smallest map, and the cosine schedule of arXiv 2102.09672, which
suits small images better than the linear one. The network predicts the velocity of arXiv 2202.00512 (appendix D). If it predicted
the noise, an image at the noisy end would be a division by almost zero, and few steps would never get its colours right.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.config.generators import DdpmConfig
from hqgan.models.base import Generator
from hqgan.runtime.random_streams import RandomStream

GROUPS = 8


class Block(nn.Module):
    """Norm, SiLU and convolution twice, time and class added between, around a skip connection.

    Args:
        inputs, outputs: channels.
        embedding: length of what is known of time and class.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.condition = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))
        self.second = nn.Sequential(nn.GroupNorm(GROUPS, outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1))
        nn.init.zeros_(self.second[-1].weight)  # type: ignore[arg-type]
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) and (B, embedding) to (B, outputs, H, W)."""
        h = self.first(x) + self.condition(known)[..., None, None]
        return self.skip(x) + self.second(h)


class Attention(nn.Module):
    """Self-attention among the places of a map, with a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.attention = nn.MultiheadAttention(channels, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) to the same."""
        places = self.norm(x).flatten(2).transpose(1, 2)
        seen, _ = self.attention(places, places, places, need_weights=False)
        return x + seen.transpose(1, 2).reshape(x.shape)


class UNet(nn.Module):
    """Velocity (B, 3, S, S) of a noisy image, from the image, its time and its class.

    Args:
        config: widths.
        classes: number of classes.
    """

    def __init__(self, config: DdpmConfig, classes: int) -> None:
        super().__init__()
        widths, e = config.channels, config.embedding
        self.length = widths[0]
        self.time = nn.Sequential(nn.Linear(self.length, e), nn.SiLU(), nn.Linear(e, e))
        self.classes = nn.Embedding(classes, e)
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        steps = [*zip((widths[0], *widths), widths, strict=False)]
        self.downs = nn.ModuleList(Block(a, b, e) for a, b in steps)
        self.middle = nn.ModuleList([Block(widths[-1], widths[-1], e), Block(widths[-1], widths[-1], e)])
        self.attention = Attention(widths[-1])
        self.ups = nn.ModuleList(Block(2 * b, a, e) for a, b in reversed(steps))
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], 3, 3, padding=1))

    def forward(self, x: torch.Tensor, times: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, S, S), times (B,) from 0 and labels (B,) to the velocity, sqrt(kept) noise - sqrt(1 - kept) image."""
        known = self.time(_waves(times, self.length).to(x.dtype)) + self.classes(labels)
        x = self.first(x)
        kept = []
        for i, block in enumerate(self.downs):
            x = block(x if i == 0 else F.avg_pool2d(x, 2), known)
            kept.append(x)
        x = self.middle[1](self.attention(self.middle[0](x, known)), known)
        for i, block in enumerate(self.ups):
            x = block(torch.cat([x if i == 0 else F.interpolate(x, scale_factor=2), kept.pop()], 1), known)
        return self.out(x)


class DdpmGenerator(Generator):
    """Images from noise by denoising it step by step.

    Args:
        config: network and schedule.
        classes: number of classes.
        size: of the images, in pixels.

    Attributes:
        noise_size: 3 size^2, the image that denoising starts from.
    """

    kept: torch.Tensor
    times: torch.Tensor

    def __init__(self, config: DdpmConfig, classes: int, size: int) -> None:
        super().__init__()
        self.size, self.noise_size = size, 3 * size * size
        self.network = UNet(config, classes)
        # Share of the signal's variance that is left after each time (arXiv 2102.09672, equation 17).
        t = torch.linspace(0, 1, config.timesteps + 1, dtype=torch.float64)
        f = torch.cos((t + 0.008) / 1.008 * math.pi / 2).square()
        losses = (1 - f[1:] / f[:-1]).clamp_max(0.999)
        self.register_buffer("kept", (1 - losses).cumprod(0).float(), persistent=False)
        steps = torch.linspace(config.timesteps - 1, 0, config.sampling_steps).round().long()
        self.register_buffer("times", steps, persistent=False)

    def loss(self, images: torch.Tensor, labels: torch.Tensor, draws: RandomStream) -> torch.Tensor:
        """Mean squared error of the velocity at random times."""
        times = draws.integers(0, len(self.kept), len(images)).to(images.device)
        noise = draws.normal(*images.shape).to(images.device)
        kept = self.kept[times][:, None, None, None]
        noisy = kept.sqrt() * images + (1 - kept).sqrt() * noise
        return F.mse_loss(self.network(noisy, times, labels), kept.sqrt() * noise - (1 - kept).sqrt() * images)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        x = noise.view(-1, 3, self.size, self.size)
        for i, time in enumerate(self.times):
            velocity = self.network(x, time.expand(len(x)), labels)
            kept = self.kept[time]
            image = (kept.sqrt() * x - (1 - kept).sqrt() * velocity).clamp(-1, 1)
            if i + 1 == len(self.times):
                return image
            # The noise that agrees with the image as it was cut off at -1 and 1.
            left = (x - kept.sqrt() * image) / (1 - kept).sqrt()
            then = self.kept[self.times[i + 1]]
            x = then.sqrt() * image + (1 - then).sqrt() * left
        return x

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """One network."""
        return {"network": list(self.network.parameters())}


def _waves(times: torch.Tensor, length: int) -> torch.Tensor:
    """Sines and cosines (B, length) of times (B,), periods from 2 pi to 20,000 pi (arXiv 1706.03762, section 3.5)."""
    half = length // 2
    rates = torch.exp(-math.log(1e4) * torch.arange(half, device=times.device) / half)
    angles = times[:, None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
