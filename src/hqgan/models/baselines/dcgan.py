"""The classical control: a conditional DCGAN (Radford et al., arXiv 1511.06434)."""

from __future__ import annotations

import torch
from torch import nn

from hqgan.config.generators import DcganConfig
from hqgan.models.base import Generator


class DcganGenerator(Generator):
    """Noise and class embedding, a linear map to 4x4, transposed convolutions with batch norm and ReLU, tanh.

    Args:
        config: widths.
        classes: number of classes.
        size: of the images, in pixels.
    """

    def __init__(self, config: DcganConfig, classes: int, size: int) -> None:
        super().__init__()
        self.noise_size = config.latent
        self.embedding = nn.Embedding(classes, config.class_embedding)
        widths = config.channels[: {32: 3, 64: 4}[size]]
        self.encoder = nn.Sequential(
            nn.Linear(config.latent + config.class_embedding, widths[0] * 16),
            nn.Unflatten(1, (widths[0], 4, 4)),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, stride=2, padding=1), nn.Tanh())

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        return self.decoder(self.encoder(torch.cat([noise, self.embedding(labels)], 1)))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Disjoint parameter lists that together hold every parameter."""
        return {
            "encoder": [*self.embedding.parameters(), *self.encoder.parameters()],
            "decoder": list(self.decoder.parameters()),
        }
