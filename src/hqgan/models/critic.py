"""Conditional critics: the base class, the convolutional critic of most presets, and the critic on features."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.config.critics import CriticConfig, FeatureCriticConfig
from hqgan.runtime.random_streams import RandomStream

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""


class Critic(nn.Module):
    """Scores (B,) of images, or of their features, given classes (B,); higher is more real."""

    def gradient(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The gradient of the scores with respect to the images, in their shape, differentiable once by the critic's weights."""
        images = images.detach().requires_grad_(True)
        return torch.autograd.grad(self(images, labels).sum(), images, create_graph=True)[0]

    def auxiliary(self, images: torch.Tensor, draws: RandomStream) -> torch.Tensor | None:
        """An additional loss on real images, to be minimised with the critic's loss, or None."""
        return None


class ConvolutionalCritic(Critic):
    """Four stride-2 4x4 convolutions without norm, leaky ReLU 0.2, a linear score plus a class projection.

    Source: arXiv 2506.21015 (head "pool", no bias); the projection is Miyato & Koyama's (arXiv 1802.05637).

    Args:
        config: channels and head.
        classes: number of classes.
        size: of the images, in pixels; a multiple of 16.
    """

    def __init__(self, config: CriticConfig, classes: int, size: int) -> None:
        super().__init__()
        widths = (3, *config.channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1, bias=config.bias) for a, b in zip(widths, widths[1:], strict=False)
        )
        if config.start == "he":
            for name, parameter in self.convolutions.named_parameters():
                if name.endswith("weight"):
                    nn.init.kaiming_normal_(parameter, a=0.2)
        self.flat = config.head == "flat"
        top = config.channels[-1]
        self.score = nn.Linear(top * (size // 16) ** 2 if self.flat else top, 1)
        self.embedding = nn.Embedding(classes, config.class_embedding)
        self.projection = nn.Linear(config.class_embedding, top, bias=False)
        if config.start == "reference":
            # The paper maps the features to the embedding: the transpose of this map, drawn for as many inputs as features.
            nn.init.uniform_(self.projection.weight, -(top**-0.5), top**-0.5)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores (B,) of images (B, 3, size, size) in [-1, 1] as members of classes (B,); higher is more real."""
        x = images
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), LEAK)
        pooled = x.mean((2, 3))
        score = self.score(x.flatten(1) if self.flat else pooled)[:, 0]
        return score + (self.projection(self.embedding(labels)) * pooled).sum(1)

    def gradient(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The gradient (B, 3, size, size) of the scores by the images, differentiable once by the critic's weights.

        For gradient penalties. The backward pass is written by hand because autograd's second derivative is slow: it convolves
        with kernels as large as the feature maps, and goes through activations whose second derivative is zero.
        """
        slopes, x = [], images
        with torch.no_grad():
            one = torch.ones((), dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
            for convolution in self.convolutions:
                x = convolution(x)
                slopes.append(torch.where(x > 0, one, LEAK * one))
                x = x * slopes[-1]
        pooled = self.projection(self.embedding(labels))
        if self.flat:
            by = self.score.weight.view(1, *x.shape[1:]) + (pooled / x[0, 0].numel())[..., None, None]
        else:
            by = ((pooled + self.score.weight) / x[0, 0].numel())[..., None, None]
        by = by.expand_as(x)
        for convolution, slope in zip(reversed(self.convolutions), reversed(slopes), strict=True):
            # By its attribute: torch.func puts other tensors in a parameter's place.
            assert isinstance(convolution.weight, torch.Tensor)
            by = F.conv_transpose2d(by * slope, convolution.weight, stride=2, padding=1)
        return by


class FeatureCritic(Critic):
    """Hidden layers of ReLUs for each class: the discriminator of MosaiQ (arXiv 2308.11096) and LatentQGAN (2409.14622).

    Args:
        config: widths.
        classes: number of classes.
        features: numbers that it sees of an image.
    """

    def __init__(self, config: FeatureCriticConfig, classes: int, features: int) -> None:
        super().__init__()
        widths = (features, *config.hidden, 1)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for a, b in zip(widths, widths[1:], strict=False):
            self.weights.append(nn.Parameter((2 * torch.rand(classes, a, b) - 1) / a**0.5))
            self.biases.append(nn.Parameter((2 * torch.rand(classes, b) - 1) / a**0.5))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores (B,) of features (B, features)."""
        x, last = images, len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias[labels, None], x[:, None], weight[labels])[:, 0]
            x = x if i == last else F.relu(x)
        return x[:, 0]
