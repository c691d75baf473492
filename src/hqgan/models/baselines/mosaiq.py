"""MosaiQ (Silver et al., arXiv 2308.11096): principal components of an image as readouts of circuits.

Their images are grey and of one class. Here each class has its principal components, a set for each colour channel, and
circuits of its own for each set; the critic sees those of all three channels together. All of an image's circuits get the
same noise, as theirs do. Their published code cuts the gradient at the circuits; this one does not.
"""

from __future__ import annotations

import torch
from torch import nn

from hqgan.circuits.ansatz import Ansatz, paper_ansatz
from hqgan.config.generators import MosaiqConfig
from hqgan.models.base import Generator
from hqgan.models.baselines.class_circuits import ClassCircuits
from hqgan.models.latent import BoundedNoise
from hqgan.reporter import Reporter


def mosaiq_ansatz(qubits: int, layers: int) -> Ansatz:
    """RY and RX encoding, layers of RY and a CZ chain, X of each qubit: HybridQ took it over."""
    return paper_ansatz(qubits, layers)


def components_of(sub_generators: int, qubits: int) -> list[list[int]]:
    """Components of each sub-generator: a strong one, and weak ones from the end, so that all carry similar variance."""
    last, weak = sub_generators * qubits - 1, qubits - 1
    return [[i, *(last - weak * i - j for j in range(weak))] for i in range(sub_generators)]


class MosaiqGenerator(Generator):
    """Readouts of circuits are principal components, scaled to [-1, 1] over a class's training images.

    Args:
        config: circuits of a channel.
        classes: number of classes.
        size: of the images, in pixels.

    Attributes:
        features: numbers that the critic sees of an image.
        noise_size: one angle a qubit: uniform by the normal distribution's function, times the adaptive bound.
    """

    mean: torch.Tensor
    directions: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    places: torch.Tensor

    def __init__(self, config: MosaiqConfig, classes: int, size: int) -> None:
        super().__init__()
        self.size, self.k, self.noise_size = size, 3 * config.sub_generators, config.qubits
        components = config.sub_generators * config.qubits
        self.features = 3 * components
        self.source = BoundedNoise()
        self.circuit = ClassCircuits(mosaiq_ansatz(config.qubits, config.layers), self.k, classes)
        self.register_buffer("mean", torch.zeros(classes, 3, size * size))
        self.register_buffer("directions", torch.zeros(classes, 3, components, size * size))
        self.register_buffer("low", torch.zeros(classes, 3, components))
        self.register_buffer("high", torch.ones(classes, 3, components))
        made = torch.tensor(components_of(config.sub_generators, config.qubits)).flatten()
        self.register_buffer("places", made.argsort(), persistent=False)

    @torch.no_grad()
    def fit(self, images: torch.Tensor, labels: torch.Tensor, seed: int, reporter: Reporter) -> None:
        """Find the principal components; a class of fewer images than components has fewer, and the rest do nothing."""
        reporter.message("finding each class's principal components")
        for c in range(len(self.mean)):
            pixels = images[labels == c].flatten(2).transpose(0, 1)  # (3, N, S S)
            if pixels.shape[1] == 0:
                continue
            self.mean[c] = pixels.mean(1)
            _, strengths, directions = torch.linalg.svd(pixels - self.mean[c][:, None], full_matrices=False)
            kept = min(self.directions.shape[2], directions.shape[1])
            directions = directions[:, :kept] * (strengths[:, :kept, None] > 1e-4 * strengths[:, :1, None])
            # Of two directions that point apart the one with a positive sum, whatever the library gave.
            self.directions[c, :, :kept] = directions * torch.where(directions.sum(2, keepdim=True) < 0, -1.0, 1.0)
            scores = torch.einsum("hnp,hkp->hnk", pixels - self.mean[c][:, None], self.directions[c])
            self.low[c], self.high[c] = scores.amin(1), scores.amax(1)

    def real_to_critic(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Real images (B, 3, S, S) as scaled components (B, features) of their classes."""
        pixels = images.flatten(2) - self.mean[labels]
        scores = torch.einsum("bhp,bhkp->bhk", pixels, self.directions[labels])
        width = (self.high - self.low).clamp_min(1e-6)[labels]
        return (2 * (scores - self.low[labels]) / width - 1).flatten(1)

    def fake_to_critic(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Components (B, features) in [-1, 1]."""
        angles = self.source(torch.special.ndtr(noise))[:, None].expand(-1, self.k, -1)
        readouts = self.circuit(angles.contiguous(), labels)
        return readouts.reshape(len(noise), 3, -1)[:, :, self.places].flatten(1)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        made = (self.fake_to_critic(noise, labels).reshape(len(noise), 3, -1) + 1) / 2
        scores = self.low[labels] + made * (self.high - self.low)[labels]
        pixels = self.mean[labels] + torch.einsum("bhk,bhkp->bhp", scores, self.directions[labels])
        return pixels.reshape(-1, 3, self.size, self.size).clamp(-1, 1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All that it learns is circuits."""
        return {"circuit": list(self.circuit.parameters())}

    def after_step(self, generator_loss: float, critic_loss: float) -> None:
        """Move the bound of the noise with the losses."""
        self.source.after_step(generator_loss, critic_loss)
