"""The classifiers of the study: a small fast one, and ResNet-18 and ViT-small from timm, from scratch or fine-tuned.

Every arm's classifier takes the same number of steps of the same size with the same schedule; only the images differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hqgan.errors import UserError
from hqgan.io.images import to_float
from hqgan.io.pretrained import library, load_weights
from hqgan.wording import listed

SMALL = (48, 64, 96, 128)
"""Channels of the small network at 16, 16, 8 and 4 cells of a 64-pixel image."""

NAMES = ("small", "resnet18", "vit-small")


@dataclass(frozen=True)
class Recipe:
    """How a classifier learns, whatever the arm.

    Attributes:
        network: one of `NAMES`.
        steps: optimiser steps.
        batch: images a step.
        lr: highest learning rate of AdamW, after a warm-up of a tenth of the steps, before a cosine down to nought.
        weight_decay: of AdamW.
        weights: safetensors to start from; None from scratch.
    """

    network: str = "small"
    steps: int = 600
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.05
    weights: str | None = None


RECIPES = {
    "small": Recipe(),
    "resnet18": Recipe("resnet18", lr=1e-3),
    "vit-small": Recipe("vit-small", lr=5e-4),
}
"""From scratch. Fine-tuned networks learn at a fifth of the rate (`recipe_of`)."""


def recipe_of(name: str, steps: int | None, weights: str | None) -> Recipe:
    """The recipe of a classifier by name.

    Args:
        name: one of `NAMES`.
        steps: None for the default.
        weights: path of safetensors to fine-tune from; None for from scratch.

    Raises:
        UserError: no such classifier.
    """
    if name not in RECIPES:
        raise UserError(f"There is no classifier {name!r}; there are {listed(NAMES)}.")
    plain = RECIPES[name]
    lr = plain.lr / 5 if weights else plain.lr
    return Recipe(name, steps or plain.steps, plain.batch, lr, plain.weight_decay, weights)


class Small(nn.Module):
    """Six convolutions with batch norm on 4x4 cells of pixels; about 300,000 weights."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        a, b, c, d = SMALL
        self.body = nn.Sequential(
            nn.PixelUnshuffle(4),
            _convolution(48, a),
            _convolution(a, b),
            _convolution(b, c, 2),
            _convolution(c, c),
            _convolution(c, d, 2),
            _convolution(d, d),
        )
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * d, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes) of images (B, 3, S, S), S a multiple of 4."""
        maps = self.body(x)
        return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


def build(recipe: Recipe, classes: int, size: int) -> nn.Module:
    """A network with fresh weights (torch's global seed), or with those of `recipe.weights` and a fresh head.

    A ViT's patches and positions are resampled to its size, as timm does.

    Raises:
        UserError: the weights cannot be read, or are of another network.
    """
    if recipe.network == "small":
        network: nn.Module = Small(classes)
    elif recipe.network == "resnet18":
        network = library("timm").create_model("resnet18", num_classes=classes)
    else:
        # Patches of 8 pixels: a 64-pixel image then has 64 of them.
        network = library("timm").create_model(
            "vit_small_patch16_224", img_size=size, patch_size=8 if size <= 96 else 16, num_classes=classes
        )
    if recipe.weights:
        fit = None
        if recipe.network == "vit-small":
            resample = library("timm.models.vision_transformer").checkpoint_filter_fn

            def fit(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                return resample(given, network)

        load_weights(network, Path(recipe.weights), but=("head", "fc"), fit=fit)
    return network


def train(
    network: nn.Module,
    recipe: Recipe,
    batches: Callable[[int], tuple[np.ndarray, np.ndarray]],
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None,
    class_weights: np.ndarray | None,
    seed: int,
    on_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Train in place for exactly `recipe.steps` steps.

    Args:
        network: from `build`.
        recipe: how.
        batches: step to uint8 images (B, S, S, 3) and labels (B,).
        augment: random changes of float images (B, 3, S, S) in [-1, 1].
        class_weights: (C,) of the cross-entropy; None for equal ones.
        seed: of augmentation and dropout.
        on_step: told the steps done.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    weight = None if class_weights is None else torch.from_numpy(class_weights.astype(np.float32))
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    warm_up = max(0.1, 2 / recipe.steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.lr, total_steps=recipe.steps, pct_start=warm_up)
    network.to(memory_format=torch.channels_last)
    network.train()
    for step in range(recipe.steps):
        pixels, labels = batches(step)
        images = to_float(pixels)
        if augment is not None:
            images = augment(images, generator)
        images = images.contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(network(images), torch.from_numpy(labels), weight=weight, label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        on_step(step + 1)
    network.eval()


def probabilities(network: nn.Module, images: np.ndarray, batch: int = 128) -> np.ndarray:
    """(N, C) float32 softmax outputs for uint8 images (N, S, S, 3)."""
    network.eval()
    with torch.inference_mode():
        parts = [network(to_float(images[i : i + batch])).softmax(1).numpy() for i in range(0, len(images), batch)]
    return np.concatenate(parts)


def standard_augmentation(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What dermatoscopy is usually augmented by, each image its own: turns, mirrors, scale and shift, light and colour.

    Args:
        images: (B, 3, S, S) in [-1, 1].
        generator: source of all randomness.

    Returns:
        Images of the same shape: turned by any angle, mirrored, scaled by 0.8 to 1.25, shifted by up to a tenth; contrast by
        0.8 to 1.2, brightness by up to 0.2, each channel by up to 0.05. Corners are filled by reflection.
    """
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    angle, scale = uniform(0, 2 * np.pi, n), torch.exp(uniform(-0.223, 0.223, n))
    mirror = torch.where(uniform(0, 1, n) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    shift = uniform(-0.2, 0.2, n, 2)
    matrix = torch.stack(
        [torch.stack([cos * mirror, -sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)], 1
    )
    where = F.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, where, padding_mode="reflection", align_corners=False)
    mean = moved.mean((1, 2, 3), keepdim=True)
    lit = mean + (moved - mean) * uniform(0.8, 1.2, n, 1, 1, 1) + uniform(-0.2, 0.2, n, 1, 1, 1)
    return lit + uniform(-0.05, 0.05, n, 3, 1, 1)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
