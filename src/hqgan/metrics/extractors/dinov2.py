"""DINOv2, whose self-supervised features rank generated images more as people do (Stein et al., arXiv 2306.04675)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.published import Provided, Published, digest_of, load_published, run_uint8


def load(path: Path) -> Provided:
    """DINOv2's class token (N, 384); its network takes normalised images (B, 3, 224, 224)."""
    network = import_module("timm").create_model(
        "vit_small_patch14_dinov2", img_size=224, num_classes=0, dynamic_img_size=True
    )
    load_published(network, path, PUBLISHED)
    network.eval().requires_grad_(False)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def scaled(x: torch.Tensor) -> torch.Tensor:
        large = torch.nn.functional.interpolate(x / 255.0, size=(224, 224), mode="bicubic", antialias=True)
        return network((large.clamp(0, 1) - mean[:, None, None]) / deviation[:, None, None])

    def outputs(images: np.ndarray) -> np.ndarray:
        return run_uint8(scaled, images)

    return Provided(FeatureExtractor("dinov2", digest_of(path), "features", "dinov2", outputs, lambda raw: raw, 384))


PUBLISHED = Published(
    "DINOv2 ViT-S/14 (arXiv 2304.07193)",
    "https://huggingface.co/timm/vit_small_patch14_dinov2.lvd142m/resolve/main/model.safetensors",
    88,
    load,
    (("fd", "dinov2"), ("kd", "dinov2")),
)
