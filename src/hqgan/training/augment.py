"""Differentiable augmentation (Zhao et al., arXiv 2006.10738): the same random changes for real and generated images.

The critic never sees an image as it is, so it cannot learn a small data set by heart; gradients flow through to the
generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F


def augment(images: torch.Tensor, policy: Sequence[str], generator: torch.Generator) -> torch.Tensor:
    """Apply the named changes in order.

    Args:
        images: (B, 3, H, W) in [-1, 1]; what comes back may leave that range.
        policy: any of ``color``, ``translation``, ``cutout``.
        generator: CPU source of randomness; each image gets changes of its own.
    """
    changes = {"color": _color, "translation": _translation, "cutout": _cutout}
    for name in policy:
        images = changes[name](images, generator)
    return images


def _uniform(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device)


def _color(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Brightness by up to +-0.5, saturation by 0 to 2, contrast by 0.5 to 1.5."""
    x = x + (_uniform(x, generator) - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * _uniform(x, generator)) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, generator) + 0.5) + mean


def _translation(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift by up to an eighth of the side, zeros (mid-grey) moving in."""
    b, _, h, w = x.shape
    reach = h // 8
    down = torch.randint(-reach, reach + 1, (b, 1), generator=generator).to(x.device)
    right = torch.randint(-reach, reach + 1, (b, 1), generator=generator).to(x.device)
    padded = F.pad(x, [reach] * 4)
    rows = torch.arange(h, device=x.device) + reach + down
    columns = torch.arange(w, device=x.device) + reach + right
    batch = torch.arange(b, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Blank a square of half the side, anywhere, also partly outside."""
    b, _, h, w = x.shape
    centre_y = torch.randint(0, h, (b, 1, 1), generator=generator).to(x.device)
    centre_x = torch.randint(0, w, (b, 1, 1), generator=generator).to(x.device)
    y, col = torch.arange(h, device=x.device)[None, :, None], torch.arange(w, device=x.device)[None, None, :]
    inside = ((y - centre_y).abs() < h // 4) & ((col - centre_x).abs() < w // 4)
    return x * (~inside)[:, None].to(x.dtype)
