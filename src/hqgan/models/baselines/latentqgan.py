"""LatentQGAN (Vieloszynski et al., arXiv 2409.14622): circuits' probabilities as the latent of an autoencoder.

Theirs makes grey digits of one class at a time from five circuits. Here one autoencoder of colour images serves all
classes, each class has circuits of its own, and there are three times as many.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.circuits.ansatz import PROBABILITIES, Ansatz
from hqgan.config.generators import LatentqganConfig
from hqgan.models.base import Generator
from hqgan.models.baselines.class_circuits import ClassCircuits
from hqgan.reporter import Reporter

BATCH = 32
REPORTED = 250
"""Steps of the autoencoder between two lines of news."""


def latentqgan_ansatz(data_qubits: int, layers: int) -> Ansatz:
    """RY encoding, layers of RY and a CZ chain, probabilities given qubit 0, the ancilla, in |0>."""
    return Ansatz(data_qubits + 1, layers, encoding=("ry",), rotations=("ry",), readout=(PROBABILITIES,), ancillas=1)


class Autoencoder(nn.Module):
    """Convolutions down to rows of shares that add up to 1, and transposed ones back up.

    Args:
        config: channels and the latent's shape.
        size: of the images, in pixels.
    """

    def __init__(self, config: LatentqganConfig, size: int) -> None:
        super().__init__()
        a, b, c = config.autoencoder_channels
        self.rows, self.shares = config.sub_generators, 2**config.data_qubits
        side = size // 8
        self.down = nn.Sequential(
            *(m for x, y in ((3, a), (a, b), (b, c)) for m in (nn.Conv2d(x, y, 4, stride=2, padding=1), nn.ReLU())),
            nn.Flatten(),
            nn.Linear(c * side * side, self.rows * self.shares),
        )
        self.up = nn.Sequential(
            nn.Linear(self.rows * self.shares, c * side * side),
            nn.ReLU(),
            nn.Unflatten(1, (c, side, side)),
            nn.ConvTranspose2d(c, b, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(b, a, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(a, 3, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, S, S) to rows of shares (B, rows, shares). The paper divides ReLUs by their sum, where rows can die."""
        return self.down(images).view(-1, self.rows, self.shares).softmax(2)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Rows of shares to images. They are multiplied by their number first, so that an even row is one of ones."""
        return self.up((self.shares * latent).flatten(1))


class LatentqganGenerator(Generator):
    """Circuits make the latent, a decoder that they do not change the image; the critic sees latents.

    Args:
        config: circuits and autoencoder.
        classes: number of classes.
        size: of the images, in pixels.

    Attributes:
        features: numbers that the critic sees of an image.
        noise_size: one angle a qubit and circuit, uniform in [0, pi) by the normal distribution's function.
    """

    def __init__(self, config: LatentqganConfig, classes: int, size: int) -> None:
        super().__init__()
        ansatz = latentqgan_ansatz(config.data_qubits, config.layers)
        self.k, self.n, self.steps = config.sub_generators, ansatz.qubits, config.autoencoder_steps
        self.features, self.noise_size = self.k * ansatz.readouts, self.k * self.n
        self.autoencoder = Autoencoder(config, size).requires_grad_(False)
        self.circuit = ClassCircuits(ansatz, self.k, classes)

    def fit(self, images: torch.Tensor, labels: torch.Tensor, seed: int, reporter: Reporter) -> None:
        """Train the autoencoder on training images, by their mean squared error."""
        source = torch.Generator().manual_seed(seed)
        self.autoencoder.requires_grad_(True)
        optimiser = torch.optim.Adam(self.autoencoder.parameters(), lr=1e-3)
        for step in range(self.steps):
            if step % REPORTED == 0:
                reporter.progress("training the autoencoder", step, self.steps, "steps")
            x = images[torch.randint(len(images), (BATCH,), generator=source)]
            loss = F.mse_loss(self.autoencoder.decode(self.autoencoder.encode(x)), x)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        self.autoencoder.requires_grad_(False)

    def real_to_critic(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Real images (B, 3, S, S) as latents (B, features)."""
        return self.autoencoder.encode(images).flatten(1)

    def fake_to_critic(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Latents (B, features)."""
        angles = math.pi * torch.special.ndtr(noise).view(-1, self.k, self.n)
        return self.circuit(angles, labels).flatten(1)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        return self.autoencoder.decode(self.fake_to_critic(noise, labels).view(len(noise), self.k, -1))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Circuits learn against the critic, the autoencoder before them."""
        return {"circuit": list(self.circuit.parameters()), "autoencoder": list(self.autoencoder.parameters())}
