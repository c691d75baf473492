"""Class means from which the generator's prototypes start, in features of a network of their own that never evaluates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hqgan.metrics.extractors.extractor import Tensors
from hqgan.metrics.extractors.fitted import cached
from hqgan.metrics.extractors.networks import TrainingImages, class_weights, convolution, fit, run, weights_of
from hqgan.reporter import SILENT, Reporter
from hqgan.types import ImageData

PROTO_FEATURES = 1280
"""Features of `proto`; the generator's prototypes have as many (the paper's EfficientNet has)."""
_EPOCHS = 6.0
_SEED = 71


class Proto(nn.Module):
    """A coarse stem and a wide last layer; 1280 features an image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), convolution(48, 64), convolution(64, 96, 2))
        self.wide = nn.Sequential(nn.Conv2d(96, PROTO_FEATURES, 1), nn.SiLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1280) features of images (B, 3, S, S)."""
        return self.wide(self.stem(x)).mean((2, 3))


def train_proto(data: ImageData, train: np.ndarray, cache: Path, reporter: Reporter = SILENT) -> np.ndarray:
    """Class means (C, 1280) float32 in features of `proto`, from which the generator's prototypes start.

    `proto` is a network of its own, of another shape and seed than any feature extractor's, and never evaluates. A class
    without training images gets the mean of all. Arguments as `fitted.load_extractors`.
    """
    classes = len(data.classes)

    def complete(tensors: Tensors) -> Tensors:
        if tensors:
            return tensors
        training = TrainingImages(data.images[train], data.labels[train], reporter)
        proto = train_network(training, classes)
        features = run(proto, training.images)
        means = np.tile(features.mean(0), (classes, 1))
        for c in np.unique(training.labels):
            means[c] = features[training.labels == c].mean(0)
        return {"class_means": means.astype(np.float32), **weights_of(proto, "proto.")}

    return cached("proto", f"{data.fingerprint}/{classes}", train, cache, complete)["class_means"]


def train_network(training: TrainingImages, classes: int) -> Proto:
    """Train `proto` by the classes alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        proto, classify = Proto(), nn.Sequential(nn.Dropout(0.3), nn.Linear(PROTO_FEATURES, classes))
        weights = class_weights(training.labels, classes)

        def loss(x: torch.Tensor, y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return F.cross_entropy(classify(proto(x)), y, weight=weights, label_smoothing=0.1)

        fit([proto, classify], loss, training, _EPOCHS, _SEED, "proto")
    return proto.eval()
