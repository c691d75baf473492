"""Differentiable augmentation (Zhao et al., arXiv 2006.10738): the same random changes for real and generated images.

The critic never sees an unchanged image, so it cannot memorise a small data set; gradients flow through to the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from hqgan.config import TrainingConfig
from hqgan.runtime.random_streams import RandomStream

CERTAIN = 0.6
"""Mean sign of real images' scores above which adaptive augmentation grows (arXiv 2006.06676, section 3.1)."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the images that a critic sees, by a policy (see `augment`)."""

    policy: Sequence[str]

    def __call__(self, images: torch.Tensor, draws: RandomStream, probability: float = 1.0) -> torch.Tensor:
        """Augmented images (B, 3, H, W)."""
        return augment(images, self.policy, draws, probability)

    def gradient(
        self, critic: Any, labels: torch.Tensor, draws: RandomStream, probability: float = 1.0
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """The gradient (B, 3, H, W) of a critic's scores with respect to images (B, 3, H, W) that it sees augmented.

        It can be differentiated once more, with respect to the critic's weights. Each call draws from `draws`.
        """

        def gradient(images: torch.Tensor) -> torch.Tensor:
            if not self.policy:
                return critic.gradient(images, labels)
            images = images.detach().requires_grad_(True)
            seen = self(images, draws, probability)
            by_seen = critic.gradient(seen.detach(), labels).to(seen.dtype)
            return torch.autograd.grad(seen, images, by_seen, create_graph=True)[0]

        return gradient


def augment(images: torch.Tensor, policy: Sequence[str], draws: RandomStream, probability: float = 1.0) -> torch.Tensor:
    """Apply the named changes in order.

    Args:
        images: (B, 3, H, W) in [-1, 1]; results may leave that range.
        policy: any of ``color``, ``translation``, ``cutout``, ``affine``.
        draws: each image gets changes of its own.
        probability: of each change of each image; unchanged images stay as they are (arXiv 2006.06676).
    """
    changes = {"color": _color, "translation": _translation, "cutout": _cutout, "affine": _affine}
    for name in policy:
        changed = changes[name](images, draws)
        images = changed if probability >= 1 else torch.where(_uniform(images, draws) < probability, changed, images)
    return images


def adapted(probability: float, sign: float, config: TrainingConfig) -> float:
    """The probability of augmentation after a batch: it grows while the critic is too certain (arXiv 2006.06676, section 3.1).

    Args:
        probability: before the batch.
        sign: mean sign of the scores of real images.
        config: ``adaptive_kimg`` is the thousands of images in which the probability moves from 0 to 1.
    """
    probability += (1 if sign > CERTAIN else -1) * config.batch / (1000 * config.adaptive_kimg)
    return min(max(probability, 0.0), 1.0)


def _uniform(images: torch.Tensor, draws: RandomStream) -> torch.Tensor:
    return draws.uniform(len(images), 1, 1, 1).to(images.device)


def _color(x: torch.Tensor, draws: RandomStream) -> torch.Tensor:
    """Brightness by up to +-0.5, saturation by 0 to 2, contrast by 0.5 to 1.5."""
    x = x + (_uniform(x, draws) - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * _uniform(x, draws)) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, draws) + 0.5) + mean


def _translation(x: torch.Tensor, draws: RandomStream) -> torch.Tensor:
    """Shift by up to an eighth of the side, zeros (mid-grey) moving in."""
    b, _, h, w = x.shape
    reach = h // 8
    down = draws.integers(-reach, reach + 1, b, 1).to(x.device)
    right = draws.integers(-reach, reach + 1, b, 1).to(x.device)
    padded = F.pad(x, [reach] * 4)
    rows = torch.arange(h, device=x.device) + reach + down
    columns = torch.arange(w, device=x.device) + reach + right
    batch = torch.arange(b, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(x: torch.Tensor, draws: RandomStream) -> torch.Tensor:
    """Blank a square of half the side, anywhere, also partly outside."""
    b, _, h, w = x.shape
    centre_y = draws.integers(0, h, b, 1, 1).to(x.device)
    centre_x = draws.integers(0, w, b, 1, 1).to(x.device)
    y, col = torch.arange(h, device=x.device)[None, :, None], torch.arange(w, device=x.device)[None, None, :]
    inside = ((y - centre_y).abs() < h // 4) & ((col - centre_x).abs() < w // 4)
    return x * (~inside)[:, None].to(x.dtype)


def _affine(x: torch.Tensor, draws: RandomStream) -> torch.Tensor:
    """Turn by any angle and scale by 2 to the power of a normal number of deviation 0.2; outside is the image mirrored.

    Written as a weighted sum of four pixels, since torch's own sampling cannot be differentiated twice, as penalties want.
    """
    b, _, h, w = x.shape
    angle = 2 * math.pi * _uniform(x, draws)[:, 0]
    scale = 2 ** (0.2 * draws.normal(b, 1, 1).to(x.device))
    y, col = torch.arange(h, device=x.device)[:, None] - (h - 1) / 2, torch.arange(w, device=x.device) - (w - 1) / 2
    rows = scale * (angle.cos() * y - angle.sin() * col) + (h - 1) / 2
    columns = scale * (angle.sin() * y + angle.cos() * col) + (w - 1) / 2
    top, left = rows.floor(), columns.floor()
    flat = x.flatten(2)
    out = torch.zeros_like(x)
    for down in (0, 1):
        for right in (0, 1):
            weight = (1 - (rows - top - down).abs()) * (1 - (columns - left - right).abs())
            places = _mirrored(top + down, h) * w + _mirrored(left + right, w)
            picked = flat.gather(2, places.flatten(1)[:, None].expand(-1, x.shape[1], -1)).view_as(x)
            out = out + weight[:, None] * picked
    return out


def _mirrored(places: torch.Tensor, size: int) -> torch.Tensor:
    """Places on a line that goes to and fro between the first and the last pixel, as whole numbers."""
    there = places.long().remainder(2 * size)
    return torch.where(there < size, there, 2 * size - 1 - there)
