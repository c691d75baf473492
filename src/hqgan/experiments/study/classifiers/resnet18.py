"""ResNet-18 of timm."""

from __future__ import annotations

from torch import nn

from hqgan.experiments.study.classifiers.training import Classifier, Recipe
from hqgan.io.pretrained import library


def build(classes: int, size: int) -> nn.Module:
    """The network with random weights, for images of any size."""
    return library("timm").create_model("resnet18", num_classes=classes)


CLASSIFIER = Classifier(Recipe("resnet18", lr=1e-3), build)
