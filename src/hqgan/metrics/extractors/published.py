"""Weights that others have published: where they are, how they are checked, and how they are loaded.

A file that is not safetensors is a pickle: only the publisher's own, known by its SHA-256, is read, as tensors alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqgan.errors import UserError
from hqgan.io.pretrained import load_weights
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.metrics.extractors.networks import in_batches


@dataclass(frozen=True)
class Provided:
    """What a pretrained network offers to metrics.

    Attributes:
        extractor: the network as a feature extractor.
        class_probabilities: uint8 images (N, S, S, 3) to class probabilities (N, K), for the Inception score.
        image_distance: of pairs of uint8 images (N, S, S, 3), (N,); for LPIPS.
    """

    extractor: FeatureExtractor | None = None
    class_probabilities: Callable[[np.ndarray], np.ndarray] | None = None
    image_distance: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Published:
    """A pretrained network, its weights as their publisher offers them.

    Attributes:
        what: the network, in words.
        url: of the file.
        megabytes: its size, about.
        load: from the path of such a file to what the network provides.
        metrics: distance and extractor of each metric that needs it.
        sha256: of the file; empty for safetensors, which hold no program.
    """

    what: str
    url: str
    megabytes: int
    load: Callable[[Path], Provided]
    metrics: tuple[tuple[str, str | None], ...]
    sha256: str = ""


def load_published(network: nn.Module, path: Path, offer: Published, under: str = "") -> None:
    """Load safetensors, or the publisher's own pickle once its SHA-256 is the known one; names may start with `under`."""
    if path.suffix == ".safetensors":
        load_weights(network, path, under=under)
        return
    pin = offer.sha256
    if not pin or digest_of(path) != pin:
        raise UserError(
            f"{path} is no .safetensors file, nor the one from {offer.url}, whose SHA-256 is "
            f"{pin or '(none: safetensors only)'}: it is not read, for such a file can hold a program."
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({k.removeprefix(under): v for k, v in state.items() if k.startswith(under)})


def digest_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_uint8(network: Callable[[torch.Tensor], torch.Tensor], images: np.ndarray) -> np.ndarray:
    """What a network gives for uint8 images (N, S, S, 3), taken as (B, 3, S, S) uint8; float32 (N, K)."""
    return in_batches(lambda part: network(torch.from_numpy(part).permute(0, 3, 1, 2)).float().numpy(), 32, images)
