"""The classifiers of a study. To add one, write a function that builds its network, and add its row to `CLASSIFIERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from hqgan.errors import UserError
from hqgan.io.pretrained import load_weights
from hqgan.wording import listed

Weights = dict[str, torch.Tensor]

CHANNELS = (48, 64, 96, 128)
"""Channels of the small network at 16, 16, 8 and 4 cells of a 64-pixel image."""


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained, equal for all arms.

    Attributes:
        network: name of the classifier.
        steps: optimiser steps.
        batch: images in each step.
        lr: highest learning rate of AdamW, reached after a warm-up of a tenth of the steps; a cosine takes it down to zero.
        weight_decay: of AdamW.
        weights: path of safetensors to start from; None to train from scratch.
    """

    network: str = "small"
    steps: int = 600
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.05
    weights: str | None = None


@dataclass(frozen=True)
class Classifier:
    """A row of the table of classifiers.

    Attributes:
        recipe: how it is trained from scratch. Fine-tuned networks learn at a fifth of the rate.
        build: from the number of classes and the image size in pixels to a network with random weights (torch's global seed);
            it maps float32 images (B, 3, S, S) in [-1, 1] to logits (B, classes).
        adapt: changes given weights so that they fit the network; None if they are taken as they are.
    """

    recipe: Recipe
    build: Callable[[int, int], nn.Module]
    adapt: Callable[[Weights, nn.Module], Weights] | None = None


class Small(nn.Module):
    """A small fast network: six convolutions with batch norm on 4x4 cells of pixels; about 450,000 weights."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
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


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def _resnet18(classes: int, size: int) -> nn.Module:
    """ResNet-18 of timm with random weights, for images of any size."""
    return import_module("timm").create_model("resnet18", num_classes=classes)


def _vit_small(classes: int, size: int) -> nn.Module:
    """ViT-small of timm with random weights. Up to 96 pixels its patches have 8 pixels: a 64-pixel image then has 64 of them."""
    return import_module("timm").create_model(
        "vit_small_patch16_224", img_size=size, patch_size=8 if size <= 96 else 16, num_classes=classes
    )


def _resampled(given: Weights, network: nn.Module) -> Weights:
    """Resample the patch and position embeddings to the network's size, as timm does."""
    return import_module("timm.models.vision_transformer").checkpoint_filter_fn(given, network)


CLASSIFIERS = {
    "small": Classifier(Recipe("small"), lambda classes, size: Small(classes)),
    "resnet18": Classifier(Recipe("resnet18", lr=1e-3), _resnet18),
    "vit-small": Classifier(Recipe("vit-small", lr=5e-4), _vit_small, _resampled),
}
"""By name."""


def classifier_named(name: str) -> Classifier:
    """A row of the table.

    Raises:
        UserError: there is no such classifier.
    """
    if name not in CLASSIFIERS:
        raise UserError(f"There is no classifier {name!r}; there are {listed(list(CLASSIFIERS))}.")
    return CLASSIFIERS[name]


def recipe_of(name: str, steps: int | None, weights: str | None) -> Recipe:
    """The recipe of a classifier.

    Args:
        name: one of `CLASSIFIERS`.
        steps: None for the default.
        weights: path of safetensors to fine-tune from; None to train from scratch.

    Raises:
        UserError: there is no such classifier.
    """
    plain = classifier_named(name).recipe
    return replace(plain, steps=steps or plain.steps, lr=plain.lr / 5 if weights else plain.lr, weights=weights)


def build(recipe: Recipe, classes: int, size: int) -> nn.Module:
    """A network with random weights (torch's global seed), or with those of `recipe.weights` and a random last layer.

    Args:
        recipe: names the classifier and its weights.
        classes: number of classes.
        size: side of the images in pixels.

    Raises:
        UserError: there is no such classifier, the weights cannot be read, or they belong to another network.
    """
    row = classifier_named(recipe.network)
    network = row.build(classes, size)
    if recipe.weights:
        adapt = row.adapt
        fit = None if adapt is None else lambda given: adapt(given, network)
        load_weights(network, Path(recipe.weights), but=("head", "fc"), fit=fit)
    return network
