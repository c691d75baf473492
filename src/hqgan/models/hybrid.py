"""The hybrid generator: condition, encoder, classical branch beside quantum branch, fusion, decoder.

The paper's model (arXiv 2506.21015) and the project's own are values of one `HybridConfig`.
"""

from __future__ import annotations

import torch
from torch import nn

from hqgan.circuits.layer import QuantumLayer
from hqgan.config import HybridConfig
from hqgan.models.base import Generator, parameters_of
from hqgan.models.decoders import Style2Decoder, TransposedDecoder, VanillaDecoder
from hqgan.models.encoders import ConstantEncoder, SpatialEncoder
from hqgan.models.latent import BoundedNoise, PrototypeLatent
from hqgan.models.quantum_branch import QuantumSites
from hqgan.models.reference_start import draw_reference_start


class HybridGenerator(Generator):
    """Class-conditional images from noise, through convolutions and circuits side by side.

    Args:
        config: sizes and choices.
        classes: number of classes.
        size: of the images, in pixels.

    Attributes:
        noise_size: length of the normal noise vector that one image takes; all randomness enters through it.
    """

    def __init__(self, config: HybridConfig, classes: int, size: int) -> None:
        super().__init__()
        self.latent = config.latent
        self.source: PrototypeLatent | BoundedNoise | nn.Identity
        match config.latent_source:
            case "prototypes":
                self.source = PrototypeLatent(classes, config.latent)
            case "bounded":
                self.source = BoundedNoise()
            case "normal":
                self.source = nn.Identity()
        width, channels = config.encoder_channels, config.feature_channels
        removed = config.branch == "none"
        quantum = 0 if removed else max(1, round(channels * config.quantum_share))
        classical = channels - quantum
        self.encoder: ConstantEncoder | SpatialEncoder
        match config.encoder:
            case "constant":
                self.encoder = ConstantEncoder(config.latent, config.class_embedding, width, channels, classes)
                self.classical = nn.Sequential(
                    nn.Conv2d(channels, classical, 1), nn.Conv2d(classical, classical, 3, padding=1), nn.LeakyReLU(0.2)
                )
                if not removed:
                    self.to_sites = nn.Sequential(nn.Conv2d(channels, quantum, 1), nn.AvgPool2d(2))
                    self.sites = QuantumSites(quantum, config)
                    self.from_sites = nn.Sequential(
                        nn.Conv2d(self.sites.channels, quantum, 1), nn.Upsample(scale_factor=2, mode="bilinear")
                    )
            case "spatial":
                # Its map is the sites' own, so that each branch has a single layer of its own before the fusion: the
                # longer branches of the paper learnt more slowly (docs/lab.md).
                self.encoder = SpatialEncoder(config.latent, width, classes)
                self.classical = nn.Sequential(nn.ConvTranspose2d(width, classical, 4, stride=2, padding=1))
                if not removed:
                    self.to_sites = nn.Sequential()
                    self.sites = QuantumSites(width, config)
                    self.from_sites = nn.Sequential(
                        nn.ConvTranspose2d(self.sites.channels, quantum, 4, stride=2, padding=1)
                    )
        self.removed = removed
        self.decoder: VanillaDecoder | Style2Decoder | TransposedDecoder
        match config.decoder:
            case "vanilla":
                self.decoder = VanillaDecoder(channels)
            case "style2":
                self.decoder = Style2Decoder(channels, config.decoder_channels, size)
            case "transposed":
                self.decoder = TransposedDecoder(channels, config.decoder_channels, size, classes)
        self.noise_size = config.latent + self.decoder.noise_size + (0 if removed else self.sites.noise_size)
        if config.start == "reference":
            draw_reference_start(self)

    @property
    def circuits(self) -> list[QuantumLayer]:
        """The circuits of the quantum branch; empty if an ablation replaces them."""
        return [] if self.removed or not isinstance(self.sites.circuit, QuantumLayer) else [self.sites.circuit]

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        return self.fuse(*self.branches(noise, labels), noise, labels)

    def branches(self, noise: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Results of the classical and of the quantum branch, each (B, channels, 8, 8)."""
        latent = noise[:, : self.latent]
        z = self.source(latent, labels) if isinstance(self.source, PrototypeLatent) else self.source(latent)
        features = self.encoder(z, labels)
        classical = self.classical(features)
        if self.removed:
            return classical, classical[:, :0]
        return classical, self.from_sites(
            self.sites(self.to_sites(features), noise[:, self.latent + self.decoder.noise_size :])
        )

    def fuse(
        self, classical: torch.Tensor, quantum: torch.Tensor, noise: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Images from the results of both branches; of `noise` only the decoder's own part is used."""
        own = noise[:, self.latent : self.latent + self.decoder.noise_size]
        return self.decoder(torch.cat([classical, quantum], 1), labels, own)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Disjoint parameter lists that together hold every parameter."""
        modules: dict[str, list[nn.Module]] = {
            "prototypes": [self.source],
            "encoder": [self.encoder],
            "classical branch": [self.classical],
        }
        if not self.removed:
            modules["quantum branch"] = [self.to_sites, self.sites.angles, self.sites.norm, self.from_sites]
            modules["circuit"] = [self.sites.circuit]
        return parameters_of({**modules, "decoder": [self.decoder]})

    def penalty(self) -> torch.Tensor | None:
        """The prototypes' regulariser, or None where the generator has none."""
        return self.source.penalty() if isinstance(self.source, PrototypeLatent) else None

    def after_step(self, generator_loss: float, critic_loss: float) -> None:
        """Tell the noise source the losses of a finished step."""
        if isinstance(self.source, BoundedNoise):
            self.source.after_step(generator_loss, critic_loss)
