"""How a classifier is trained, and what a row of the table of classifiers holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

Weights = dict[str, torch.Tensor]


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
