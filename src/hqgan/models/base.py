"""The interface of all generators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from hqgan.circuits.layer import QuantumLayer
from hqgan.reporter import Reporter


class Generator(nn.Module, ABC):
    """Class-conditional images from noise.

    Methods that most generators do not need do nothing here.

    Attributes:
        noise_size: length of the normal noise vector that one image takes; all randomness enters through it.
    """

    noise_size: int

    @abstractmethod
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Disjoint parameter lists that together hold every parameter; the group ``circuit`` has a learning rate of its own."""

    @property
    def circuits(self) -> list[QuantumLayer]:
        """Its quantum layers; empty where there are none."""
        return [module for module in self.modules() if isinstance(module, QuantumLayer)]

    def fit(self, images: torch.Tensor, labels: torch.Tensor, seed: int, reporter: Reporter) -> None:
        """Fit what the generator needs before the first step (such as a PCA) on training images (N, 3, S, S) in [-1, 1]."""

    def real_to_critic(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Real images (B, 3, S, S) as the critic sees them."""
        return images

    def fake_to_critic(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Generated images as the critic sees them, from noise (B, noise_size) and labels (B,)."""
        return self(noise, labels)

    def penalty(self) -> torch.Tensor | None:
        """A regulariser to add to the loss, or None."""
        return None

    def after_step(self, generator_loss: float, critic_loss: float) -> None:
        """Called after each step with its losses."""


def parameters_of(modules: dict[str, list[Any]]) -> dict[str, list[nn.Parameter]]:
    """Parts by name from their modules; those without parameters are left out."""
    lists = {name: [p for m in part for p in m.parameters()] for name, part in modules.items()}
    return {name: parameters for name, parameters in lists.items() if parameters}
