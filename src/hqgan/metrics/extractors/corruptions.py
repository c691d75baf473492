"""Random corruptions of real images, as tensors: what the network of the extractor `derm` is trained to notice.

Two corruptions of the later extractor check, JPEG and the PCA-Gaussian, are left out here on purpose: an extractor has to
rank them without having been trained on them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

KINDS = ("warp", "phase", "blur", "lattice", "noise", "contrast", "brightness", "hue")
"""The corruptions, in the order of the columns of `strengths`."""

STRUCTURE = 5
"""The first five corrupt structure and are predicted; contrast, brightness and hue are only applied, so that the network's
later maps are not mostly about the colour of the light."""

_SHARE = 0.4  # of the images that one kind touches
_COLOUR = 0.6  # full strength of the colour kinds, so that classes can still be distinguished


def strengths(n: int, generator: torch.Generator) -> torch.Tensor:
    """(n, 8) float32 random strengths in [0, 1], most of them 0."""
    values = torch.rand(n, len(KINDS), generator=generator)
    values *= torch.rand(n, len(KINDS), generator=generator) < _SHARE
    values[:, STRUCTURE:] *= _COLOUR
    return values


def corrupt(images: torch.Tensor, strength: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Corrupt each image by its strength of each kind.

    Args:
        images: (B, 3, S, S) float32 in [-1, 1]; not changed.
        strength: (B, 8) in [0, 1], columns as `KINDS`.
        generator: source of all randomness.

    Returns:
        (B, 3, S, S) float32 in [-1, 1], rounded to 256 levels as generated images are.
    """
    x = images * 0.5 + 0.5
    spread = strength.T[:, :, None, None, None]
    sign = torch.where(torch.rand(3, len(x), 1, 1, 1, generator=generator) < 0.5, -1.0, 1.0)
    for kind, change in enumerate((_warp, _phase, _blur)):
        touched = strength[:, kind] > 0
        if touched.any():
            x[touched] = change(x[touched], strength[touched, kind], generator)
    x = x + _lattice(x, generator) * (0.12 * spread[3])
    x = x + torch.randn(x.shape, generator=generator) * (0.16 * spread[4] ** 1.5)
    mean = x.mean((2, 3), keepdim=True)
    x = mean + (x - mean) * (1 + 0.6 * sign[0] * spread[5])
    x = torch.where(sign[1] > 0, x + 0.35 * spread[6], x * (1 - 0.5 * spread[6]))
    x = _hue(x, (sign[2] * spread[7])[:, 0, 0, 0] * math.pi / 2)
    return (x.clamp(0, 1) * 255).round() / 127.5 - 1


def _warp(x: torch.Tensor, strength: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Bend the image by a smooth random field, at full strength by about a twelfth of its width."""
    n, _, height, width = x.shape
    coarse = torch.randn(n, 2, 6, 6, generator=generator) * (0.16 * strength)[:, None, None, None]
    field = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    still = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 3, height, width], align_corners=False)
    bent = still + field.permute(0, 2, 3, 1)
    return F.grid_sample(x, bent, padding_mode="reflection", align_corners=False)


def _phase(x: torch.Tensor, strength: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn the phase of each spatial frequency, all colours alike: texture stays, shapes dissolve."""
    n, _, height, width = x.shape
    angle = torch.angle(torch.fft.rfft2(torch.rand(n, 1, height, width, generator=generator) - 0.5))
    angle[..., 0, 0] = 0  # the mean colour is no phase
    turn = torch.polar(torch.ones_like(angle), angle * strength[:, None, None, None])
    return torch.fft.irfft2(torch.fft.rfft2(x) * turn, s=(height, width))


def _blur(x: torch.Tensor, strength: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian blur of up to 4 pixels, each image its own."""
    n, channels, height, width = x.shape
    sigma = (4 * strength**1.5).clamp_min(0.01)
    taps = torch.exp(-0.5 * (torch.arange(-8.0, 9.0) / sigma[:, None]) ** 2)
    taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    flat = F.pad(x, (8, 8, 8, 8), mode="replicate").reshape(1, n * channels, height + 16, width + 16)
    flat = F.conv2d(F.conv2d(flat, taps[..., None], groups=n * channels), taps[:, :, None], groups=n * channels)
    return flat.reshape(n, channels, height, width)


def _lattice(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A chequerboard of period 2 or 4 in [-1, 1], the mark of transposed convolutions; (B, 1, S, S)."""
    period = torch.where(torch.rand(len(x), 1, generator=generator) < 0.5, 2, 4)
    wave = torch.where(torch.arange(x.shape[-1])[None] % period < period // 2, 1.0, -1.0)
    return wave[:, None, :, None] * wave[:, None, None, :]


def _hue(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Turn colours about the grey axis by `angle` (B,) radians (Rodrigues' formula)."""
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    matrix = cos * torch.eye(3) + sin * cross + (1 - cos) / 3
    return torch.einsum("nij,njhw->nihw", matrix, x)
