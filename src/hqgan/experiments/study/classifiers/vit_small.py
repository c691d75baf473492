"""ViT-small of timm."""

from __future__ import annotations

from torch import nn

from hqgan.experiments.study.classifiers.training import Classifier, Recipe, Weights
from hqgan.io.pretrained import library


def build(classes: int, size: int) -> nn.Module:
    """The network with random weights. Up to 96 pixels its patches have 8 pixels: a 64-pixel image then has 64 of them."""
    return library("timm").create_model(
        "vit_small_patch16_224", img_size=size, patch_size=8 if size <= 96 else 16, num_classes=classes
    )


def adapt(given: Weights, network: nn.Module) -> Weights:
    """Resample the patch and position embeddings to the network's size, as timm does."""
    return library("timm.models.vision_transformer").checkpoint_filter_fn(given, network)


CLASSIFIER = Classifier(Recipe("vit-small", lr=5e-4), build, adapt)
