"""Inception-v3, in whose features the Fréchet distance is FID and the kernel distance KID."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.published import Provided, Published, digest_of, load_published, run_uint8


def unloaded_inception() -> nn.Module:
    """Inception-v3 for FID, with random weights: uint8 (B, 3, H, W) to features (B, 2048) and logits (B, 1008)."""
    module = import_module("torch_fidelity.feature_extractor_inceptionv3")
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)

    class Unloaded(module.FeatureExtractorInceptionV3):  # type: ignore[name-defined]
        """Theirs reads weights when it is made, unpickling whatever the file holds: it is given none, and loads none."""

        def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict(state, strict, assign) if state else None

    return Unloaded("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=nothing)


def load(path: Path) -> Provided:
    """Inception's pooled features, bit by bit as in TensorFlow, and its class probabilities (N, 1008)."""
    network = unloaded_inception()
    load_published(network, path, PUBLISHED)
    network.eval().requires_grad_(False)

    def outputs(images: np.ndarray) -> np.ndarray:
        return run_uint8(lambda x: torch.cat(network(x), 1), images)

    def class_probabilities(images: np.ndarray) -> np.ndarray:
        return torch.from_numpy(outputs(images)[:, 2048:]).double().softmax(1).numpy()

    name, width = "inception", 2048
    extractor = FeatureExtractor(name, digest_of(path), "features", name, outputs, lambda raw: raw[:, :width], width)
    return Provided(extractor, class_probabilities)


PUBLISHED = Published(
    "Inception-v3 as torch-fidelity has it",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    91,
    load,
    (("fd", "inception"), ("kd", "inception"), ("inception_score", "inception")),
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
