"""From latent and class to a feature map: the paper's encoder and the project's own."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.models.blocks import ConditionalNorm

SITES = 16
"""Cells of the 4x4 grid at which sub-generators read and write."""


class ConstantEncoder(nn.Module):
    """Latent and layer-normalised class embedding, the same at all of 8x8 places, through convolutions (arXiv 2506.21015).

    Args:
        latent, embedding: lengths of the latent and of the class embedding.
        width, outputs: channels inside and of the result.
        classes: number of classes.
    """

    def __init__(self, latent: int, embedding: int, width: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, embedding)
        self.norm = nn.LayerNorm(embedding)
        self.convolutions = nn.Sequential(
            nn.Conv2d(latent + embedding, width, 1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, outputs, 3, padding=1),
            nn.GELU(),
        )

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Latent (B, latent) and labels (B,) to (B, outputs, 8, 8)."""
        condition = torch.cat([z, self.norm(self.embedding(labels))], 1)
        # Bilinear upsampling of a single pixel is just that pixel repeated.
        return self.convolutions(condition[:, :, None, None].expand(-1, -1, 8, 8))


class SpatialEncoder(nn.Module):
    """A linear map of the latent to the 4x4 grid of sites, normed by class.

    Args:
        latent: length of the latent.
        width: channels of the result.
        classes: number of classes.
    """

    def __init__(self, latent: int, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(latent, width * SITES)
        self.norm = ConditionalNorm(width, classes)

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Latent (B, latent) and labels (B,) to (B, width, 4, 4)."""
        return F.relu(self.norm(self.linear(z).unflatten(1, (-1, 4, 4)), labels))
