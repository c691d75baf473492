"""LPIPS on AlexNet: a distance of two images (Zhang et al., arXiv 1801.03924)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
from torch import nn

from hqgan.io.images import to_float
from hqgan.metrics.extractors.networks import in_batches
from hqgan.metrics.extractors.published import Provided, Published, load_published


def lpips(path: Path) -> nn.Module:
    """LPIPS on AlexNet, the linear layers torchmetrics': two batches in [-1, 1] to distances (B,)."""
    network = import_module("torchmetrics.functional.image.lpips")._LPIPS(pretrained=True, net="alex", pnet_rand=True)
    features = import_module("torchvision.models").alexnet(weights=None).features
    load_published(features, path, PUBLISHED, under="features.")
    for part in ("slice1", "slice2", "slice3", "slice4", "slice5"):
        for place, layer in getattr(network.net, part).named_children():
            layer.load_state_dict(features[int(place)].state_dict())
    return network.eval().requires_grad_(False)


def load(path: Path) -> Provided:
    """The distance of pairs of images."""
    network = lpips(path)

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return network(to_float(a), to_float(b)).reshape(-1).numpy().astype(np.float64)

    return Provided(image_distance=lambda a, b: in_batches(distance, 100, a, b))


PUBLISHED = Published(
    "torchvision's AlexNet, under LPIPS (arXiv 1801.03924)",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    233,
    load,
    (("lpips_within", None),),
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)
