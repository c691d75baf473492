"""The hybrid generator: condition, encoder, classical branch beside quantum branch, fusion, decoder.

The paper's model (arXiv 2506.21015) and the project's own are values of one `HybridConfig`.
"""

from __future__ import annotations

import torch
from torch import nn

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.layer import QuantumLayer
from hqgan.config import CircuitConfig, HybridConfig
from hqgan.models.ablations import FourierFeatures, MomentNoise, SharedMlp
from hqgan.models.base import Generator, parameters_of
from hqgan.models.decoders import Style2Decoder, TransposedDecoder, VanillaDecoder
from hqgan.models.encoders import SITES, ConstantEncoder, SpatialEncoder
from hqgan.models.latent import BoundedNoise, PrototypeLatent
from hqgan.models.reference_start import draw_reference_start


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


class QuantumSites(nn.Module):
    """Features at 4x4 sites -> encoding angles -> circuits -> readouts back at their sites.

    Args:
        channels: of the features.
        config: the circuit, the number of sub-generators and what they pass on.

    Attributes:
        channels: of the result. With readout "mean" each sub-generator has a channel of its own, nought but at its site (the
            paper); with "full" the sub-generators share the channels, one a readout, and tell themselves apart by their site.
        circuit: the circuits, or what stands in their place.
        noise_size: numbers of noise that it takes for one image; only the branch "noise" takes any.
    """

    sites: torch.Tensor

    def __init__(self, channels: int, config: HybridConfig) -> None:
        super().__init__()
        k = config.sub_generators
        ansatz = ansatz_of(config.circuit)
        self.full = config.readout == "full"
        self.channels = ansatz.readouts if self.full else k
        self.angles = nn.Linear(channels, ansatz.qubits)
        # Without it the angles of an untrained branch hardly move, so that a site says one thing for every latent
        # (docs/lab.md). The paper has none.
        self.norm = nn.BatchNorm1d(ansatz.qubits) if self.full else nn.Identity()
        self.circuit = _branch(config, ansatz)
        self.noise_size = self.circuit.noise_size if isinstance(self.circuit, MomentNoise) else 0
        self.register_buffer("sites", torch.linspace(0, SITES - 1, k).round().long(), persistent=False)

    def forward(self, x: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """(B, C, 4, 4), and noise (B, noise_size) if it takes any, to (B, `channels`, 4, 4)."""
        angles = self.angles(x.flatten(2).transpose(1, 2)[:, self.sites])
        angles = self.norm(angles.flatten(0, 1)).view_as(angles)
        readouts = self.circuit(angles, noise) if self.noise_size else self.circuit(angles)
        batch, k, m = readouts.shape
        if self.full:
            cells = readouts.new_zeros(batch, SITES, m).index_copy(1, self.sites, readouts).transpose(1, 2)
        else:
            values = torch.diag_embed(readouts.mean(2))
            cells = readouts.new_zeros(batch, k, SITES).index_copy(2, self.sites, values)
        return cells.reshape(batch, -1, 4, 4)


def _branch(config: HybridConfig, ansatz: Ansatz) -> nn.Module:
    """The circuits, or what an ablation puts in their place."""
    circuit, k = config.circuit, config.sub_generators
    match config.branch:
        case "mlp":
            return SharedMlp(ansatz, k, config.branch_hidden)
        case "fourier":
            return FourierFeatures(ansatz, k)
        case "noise":
            return MomentNoise(ansatz, k, circuit.start)
    layer = QuantumLayer(ansatz, k, start=circuit.start, shots=circuit.shots)
    return layer.requires_grad_(False) if config.branch == "frozen" else layer


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
        """The circuits of its quantum branch; none where an ablation put something else there."""
        return [] if self.removed or not isinstance(self.sites.circuit, QuantumLayer) else [self.sites.circuit]

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        return self.fuse(*self.branches(noise, labels), noise, labels)

    def branches(self, noise: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the classical and the quantum branch give, each (B, channels, 8, 8)."""
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
        """Images of what both branches gave; of `noise` only what the decoder takes for itself is looked at."""
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
