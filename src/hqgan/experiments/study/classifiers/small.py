"""A small fast convolutional network."""

from __future__ import annotations

import torch
from torch import nn

from hqgan.experiments.study.classifiers.training import Classifier, Recipe

CHANNELS = (48, 64, 96, 128)
"""Channels at 16, 16, 8 and 4 cells of a 64-pixel image."""


class Small(nn.Module):
    """Six convolutions with batch norm on 4x4 cells of pixels; about 450,000 weights."""

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


CLASSIFIER = Classifier(Recipe("small"), lambda classes, size: Small(classes))
