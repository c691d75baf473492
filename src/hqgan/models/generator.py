"""The hybrid generator: condition, encoder, classical branch beside quantum branch, fusion, decoder.

The paper's model (arXiv 2506.21015) and the project's own are values of one `HybridConfig`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.layer import QuantumLayer
from hqgan.config import CircuitConfig, HybridConfig
from hqgan.models.blocks import RunningNorm
from hqgan.models.decoders import Style2Decoder, TransposedDecoder, VanillaDecoder
from hqgan.models.prototypes import BoundedNoise, PrototypeLatent

SITES = 16
"""Cells of the 4x4 grid at which sub-generators read and write."""


def ansatz_of(config: CircuitConfig) -> Ansatz:
    """The ansatz that a config describes, with each of its Paulis read on every qubit."""
    return Ansatz(
        qubits=config.qubits,
        layers=config.layers,
        encoding=config.encoding,
        rotations=config.rotations,
        entangler=config.entangler,
        readout=tuple(f"{pauli}{q}" for q in range(config.qubits) for pauli in config.readout),
    )


class QuantumBranch(nn.Module):
    """Feature map -> 4x4 sites -> encoding angles -> circuits -> readouts back at their sites -> feature map.

    Args:
        channels: in and out.
        config: the circuit, the number of sub-generators and what they pass on.
    """

    sites: torch.Tensor

    def __init__(self, channels: int, config: HybridConfig) -> None:
        super().__init__()
        k = config.sub_generators
        ansatz = ansatz_of(config.circuit)
        self.full = config.readout == "full"
        self.angles = nn.Linear(channels, ansatz.qubits)
        self.circuit = QuantumLayer(ansatz, k)
        # Without these the angles of an untrained branch hardly move, so that each site says one thing for every latent:
        # a fixed pattern, which the decoder's batch norm then amplifies (docs/lab.md). The paper has neither.
        self.angle_norm = RunningNorm(ansatz.qubits) if self.full else nn.Identity()
        self.readout_norm = RunningNorm(k * ansatz.readouts) if self.full else nn.Identity()
        # With "mean" each sub-generator has a channel of its own, nought but at its site (the paper); with "full" the
        # sub-generators share the channels, one a readout, and tell themselves apart by their site.
        self.out = nn.Conv2d(ansatz.readouts if self.full else k, channels, 1)
        self.register_buffer("sites", torch.linspace(0, SITES - 1, k).round().long(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, 8, 8) to the branch's feature map (B, C, 8, 8)."""
        grid = F.avg_pool2d(x, 2).flatten(2).transpose(1, 2)
        angles = self.angles(grid[:, self.sites])
        angles = self.angle_norm(angles.flatten(0, 1)).view_as(angles)
        readouts = self.circuit(angles)
        batch, k, m = readouts.shape
        readouts = self.readout_norm(readouts.flatten(1)).view_as(readouts)
        if self.full:
            cells = readouts.new_zeros(batch, SITES, m).index_copy(1, self.sites, readouts).transpose(1, 2)
        else:
            values = torch.diag_embed(readouts.mean(2))
            cells = readouts.new_zeros(batch, k, SITES).index_copy(2, self.sites, values)
        features = self.out(cells.reshape(batch, -1, 4, 4))
        return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class HybridGenerator(nn.Module):
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
        embedding = config.class_embedding
        self.embedding = nn.Embedding(classes, embedding)
        self.embedding_norm = nn.LayerNorm(embedding)
        self.encoder = _encoder(config, config.latent + embedding)
        quantum = max(1, round(config.feature_channels * config.quantum_share))
        classical = config.feature_channels - quantum
        self.to_classical = nn.Conv2d(config.feature_channels, classical, 1)
        self.to_quantum = nn.Conv2d(config.feature_channels, quantum, 1)
        self.classical = nn.Conv2d(classical, classical, 3, padding=1)
        self.residual = config.classical_skip
        self.quantum = QuantumBranch(quantum, config)
        self.decoder: VanillaDecoder | Style2Decoder | TransposedDecoder
        match config.decoder:
            case "vanilla":
                self.decoder = VanillaDecoder(config.feature_channels)
            case "style2":
                self.decoder = Style2Decoder(config.feature_channels, config.decoder_channels, size)
            case "transposed":
                self.decoder = TransposedDecoder(config.feature_channels, config.decoder_channels, size)
        self.noise_size = config.latent + self.decoder.noise_size

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        latent, extra = noise[:, : self.latent], noise[:, self.latent :]
        z = self.source(latent, labels) if isinstance(self.source, PrototypeLatent) else self.source(latent)
        condition = self.embedding_norm(self.embedding(labels))
        features = self.encoder(torch.cat([z, condition], 1))
        classical = self.to_classical(features)
        branch = F.leaky_relu(self.classical(classical), 0.2)
        classical = classical + branch if self.residual else branch
        quantum = self.quantum(self.to_quantum(features))
        return self.decoder(torch.cat([classical, quantum], 1), extra)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Disjoint parameter lists that together hold every parameter."""
        circuit = list(self.quantum.circuit.parameters())
        rest: dict[str, list[nn.Module]] = {
            "prototypes": [self.source],
            "encoder": [self.embedding, self.embedding_norm, self.encoder, self.to_classical, self.to_quantum],
            "classical branch": [self.classical],
            "quantum branch": [self.quantum.angles, self.quantum.out],
            "decoder": [self.decoder],
        }
        lists = {name: [p for m in modules for p in m.parameters()] for name, modules in rest.items()}
        return {name: ps for name, ps in {**lists, "circuit": circuit}.items() if ps}

    def penalty(self) -> torch.Tensor | None:
        """The prototypes' regulariser, or None where the generator has none."""
        return self.source.penalty() if isinstance(self.source, PrototypeLatent) else None

    def observe(self, generator_loss: float, critic_loss: float) -> None:
        """Tell the noise source the losses of a finished step."""
        if isinstance(self.source, BoundedNoise):
            self.source.observe(generator_loss, critic_loss)


class _Constant(nn.Module):
    """The condition repeated over 8x8 (bilinear upsampling of a single pixel is just that)."""

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        return condition[:, :, None, None].expand(-1, -1, 8, 8)


def _encoder(config: HybridConfig, inputs: int) -> nn.Sequential:
    width, out = config.encoder_channels, config.feature_channels
    if config.encoder == "constant":
        return nn.Sequential(
            _Constant(),
            nn.Conv2d(inputs, width, 1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, out, 3, padding=1),
            nn.GELU(),
        )
    return nn.Sequential(
        nn.Linear(inputs, width * 16),
        nn.Unflatten(1, (width, 4, 4)),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, out, 4, stride=2, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )
