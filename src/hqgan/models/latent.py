"""Where the latent comes from: class prototypes (the paper) or noise with MosaiQ's adaptive bound."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

FEATURES = 1280
"""Length of a prototype, the paper's feature network's width."""


class PrototypeLatent(nn.Module):
    """z = mu_c + sigma_c * eps, mu_c an MLP of the class's learnable prototype (arXiv 2506.21015, prototypes).

    Args:
        classes: number of classes.
        latent: length of z.
    """

    def __init__(self, classes: int, latent: int) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(classes, FEATURES) * 0.02)
        self.mean = nn.Sequential(nn.Linear(FEATURES, 512), nn.ReLU(), nn.Linear(512, latent))
        self.spread = nn.Parameter(torch.zeros(classes))

    def start_from(self, class_means: torch.Tensor) -> None:
        """Set the prototypes to class means (classes, 1280) of a network that is never used for evaluation."""
        with torch.no_grad():
            self.prototypes.copy_(class_means)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Normal noise (B, latent) and labels (B,) to z (B, latent)."""
        sigma = F.softplus(self.spread).clamp(0.2, 0.8)
        return self.mean(self.prototypes)[labels] + sigma[labels, None] * noise

    def penalty(self) -> torch.Tensor:
        """Mean hinge, margin 1, on the distances of the normalised prototypes; keeps the prototypes of classes separate."""
        normalised = F.normalize(self.prototypes, dim=1)
        first, second = torch.triu_indices(len(normalised), len(normalised), 1, device=normalised.device)
        return F.relu(1 - (normalised[first] - normalised[second]).norm(dim=1)).mean()


class BoundedNoise(nn.Module):
    """Normal noise times MosaiQ's adaptive bound (arXiv 2308.11096, section 3).

    The bound is pi/8 + 5 pi/8 * relu(tanh(R - R0)), where R is the ratio of the generator's loss to the critic's and R0 its
    first value. The paper's code scales the noise in training only; here the bound is a buffer of the model, so that
    generation draws from what the generator was trained on.
    """

    bound: torch.Tensor
    first_ratio: torch.Tensor
    started: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bound", torch.tensor(math.pi / 8))
        self.register_buffer("first_ratio", torch.tensor(0.0))
        self.register_buffer("started", torch.tensor(False))

    def after_step(self, generator_loss: float, critic_loss: float) -> None:
        """Move the bound with the losses of a finished step."""
        if abs(critic_loss) < 1e-12:
            return
        ratio = generator_loss / critic_loss
        if not self.started:
            self.first_ratio.fill_(ratio)
            self.started.fill_(True)
        self.bound.fill_(math.pi / 8 + 5 * math.pi / 8 * max(0.0, math.tanh(ratio - self.first_ratio.item())))

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """(B, latent) to (B, latent)."""
        return noise * self.bound
