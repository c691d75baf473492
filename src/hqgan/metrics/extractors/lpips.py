"""LPIPS on AlexNet: a distance of two images (Zhang et al., arXiv 1801.03924)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqgan.io.images import to_float
from hqgan.io.pretrained import library
from hqgan.metrics.extractors.published import Provided, Published, load_published

PUBLISHED = Published(
    "torchvision's AlexNet, under LPIPS (arXiv 1801.03924)",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    233,
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)


def lpips(path: Path) -> nn.Module:
    """LPIPS on AlexNet, the linear layers torchmetrics': two batches in [-1, 1] to distances (B,)."""
    network = library("torchmetrics.functional.image.lpips")._LPIPS(pretrained=True, net="alex", pnet_rand=True)
    features = library("torchvision.models").alexnet(weights=None).features
    load_published(features, path, PUBLISHED, under="features.")
    for part in ("slice1", "slice2", "slice3", "slice4", "slice5"):
        for place, layer in getattr(network.net, part).named_children():
            layer.load_state_dict(features[int(place)].state_dict())
    return network.eval().requires_grad_(False)


def load(path: Path) -> Provided:
    """The distance of pairs of images."""
    network = lpips(path)

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                (to_float(np.array(a[i : i + 100])), to_float(np.array(b[i : i + 100]))) for i in range(0, len(a), 100)
            ]
            return np.concatenate([network(x, y).reshape(-1).numpy().astype(np.float64) for x, y in parts])

    return Provided(image_distance=distance)
