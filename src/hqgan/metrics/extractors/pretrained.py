"""Networks that others trained on other pictures: Inception-v3, DINOv2 and LPIPS's AlexNet.

Their weights come from a path, or by one download that is announced and checked; without them the metrics that need them say so.
A file that is not safetensors is a pickle: only the publisher's own, known by its SHA-256, is read, as tensors alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from hqgan.errors import UserError
from hqgan.io.images import to_float
from hqgan.io.pretrained import library, load_weights
from hqgan.metrics.extractors.features import FeatureExtractor
from hqgan.reporter import SILENT, Reporter
from hqgan.wording import listed


@dataclass(frozen=True)
class Published:
    """Weights as their publisher offers them.

    Attributes:
        what: in words.
        url: where.
        megabytes: about.
        sha256: of the file, its first digits as in the publisher's name for it; empty for safetensors, which hold no program.
    """

    what: str
    url: str
    megabytes: int
    sha256: str = ""


PUBLISHED = {
    "inception": Published(
        "Inception-v3 as torch-fidelity has it",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        91,
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    ),
    "dinov2": Published(
        "DINOv2 ViT-S/14 (arXiv 2304.07193)",
        "https://huggingface.co/timm/vit_small_patch14_dinov2.lvd142m/resolve/main/model.safetensors",
        88,
    ),
    "alexnet": Published(
        "torchvision's AlexNet, under LPIPS (arXiv 1801.03924)",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        233,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
}


class UnavailableError(Exception):
    """Weights that are not at hand; the sentence is a metric's reason."""


def weights(name: str, given: Mapping[str, Path], cache: Path, download: bool, reporter: Reporter = SILENT) -> Path:
    """Where the weights of a network are.

    Args:
        name: a key of `PUBLISHED`.
        given: paths by name.
        cache: folder for what is downloaded.
        download: whether it may be.
        reporter: receives a message about a download before it begins.

    Raises:
        UnavailableError: not given, and not to be had.
    """
    if unknown := sorted(set(given) - set(PUBLISHED)):
        raise UserError(f"There is no network {unknown[0]!r} to give weights for; there are {listed(list(PUBLISHED))}.")
    if name in given:
        if not given[name].is_file():
            raise UserError(f"There are no weights at {given[name]}.")
        return given[name]
    offer = PUBLISHED[name]
    kept = cache / "weights" / offer.url.rsplit("/", 1)[1]
    if kept.exists():
        return kept
    if not download:
        raise UnavailableError(
            f"no weights: give --weights {name}=FILE, or allow --download ({offer.megabytes} MB from {offer.url})"
        )
    reporter.message(f"downloading {offer.what}, {offer.megabytes} MB, from {offer.url} into {kept.parent}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_name(f".{kept.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(offer.url, timeout=60) as source, temporary.open("wb") as sink:
            while part := source.read(1 << 20):
                sink.write(part)
                digest.update(part)
        if offer.sha256 and digest.hexdigest() != offer.sha256:
            raise UnavailableError(
                f"what came from {offer.url} has another SHA-256 than its publisher's file; it was thrown away"
            )
        temporary.replace(kept)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise UnavailableError(
            f"{offer.url} could not be fetched ({reason}); fetch it elsewhere and give --weights {name}=FILE"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return kept


def inception(path: Path) -> nn.Module:
    """Inception-v3 for FID, bit by bit as in TensorFlow: uint8 (B, 3, H, W) to features (B, 2048) and logits (B, 1008)."""
    network = unloaded_inception()
    _load(network, path, "inception")
    return network.eval().requires_grad_(False)


def unloaded_inception() -> nn.Module:
    """The same with random weights."""
    module = library("torch_fidelity.feature_extractor_inceptionv3")
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)

    class Unloaded(module.FeatureExtractorInceptionV3):  # type: ignore[name-defined]
        """Theirs reads weights when it is made, unpickling whatever the file holds: it is given none, and loads none."""

        def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict(state, strict, assign) if state else None

    return Unloaded("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=nothing)


def dinov2(path: Path) -> nn.Module:
    """DINOv2 ViT-S/14: normalised images (B, 3, 224, 224) to features (B, 384)."""
    network = library("timm").create_model(
        "vit_small_patch14_dinov2", img_size=224, num_classes=0, dynamic_img_size=True
    )
    _load(network, path, "dinov2")
    return network.eval().requires_grad_(False)


def lpips(path: Path) -> nn.Module:
    """LPIPS on AlexNet, the linear layers torchmetrics': two batches in [-1, 1] to distances (B,)."""
    network = library("torchmetrics.functional.image.lpips")._LPIPS(pretrained=True, net="alex", pnet_rand=True)
    features = library("torchvision.models").alexnet(weights=None).features
    _load(features, path, "alexnet", under="features.")
    for part in ("slice1", "slice2", "slice3", "slice4", "slice5"):
        for place, layer in getattr(network.net, part).named_children():
            layer.load_state_dict(features[int(place)].state_dict())
    return network.eval().requires_grad_(False)


def lpips_distance(path: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """LPIPS of pairs of uint8 images (N, S, S, 3), (N,)."""
    network = lpips(path)

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                (to_float(np.array(a[i : i + 100])), to_float(np.array(b[i : i + 100]))) for i in range(0, len(a), 100)
            ]
            return np.concatenate([network(x, y).reshape(-1).numpy().astype(np.float64) for x, y in parts])

    return distance


def inception_view(path: Path) -> tuple[FeatureExtractor, Callable[[np.ndarray], np.ndarray]]:
    """Inception's features as a view, and its class probabilities (N, 1008) for the Inception score."""
    network = inception(path)

    def look(images: np.ndarray) -> np.ndarray:
        return _run(lambda x: torch.cat(network(x), 1), images, 32)

    def classes(images: np.ndarray) -> np.ndarray:
        return torch.from_numpy(look(images)[:, 2048:]).double().softmax(1).numpy()

    view = FeatureExtractor("inception", _digest(path), "features", "inception", look, lambda raw: raw[:, :2048], 2048)
    return view, classes


def dinov2_view(path: Path) -> FeatureExtractor:
    """DINOv2's class token as a view (Stein et al., arXiv 2306.04675)."""
    network = dinov2(path)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def one(x: torch.Tensor) -> torch.Tensor:
        scaled = torch.nn.functional.interpolate(x / 255.0, size=(224, 224), mode="bicubic", antialias=True)
        return network((scaled.clamp(0, 1) - mean[:, None, None]) / deviation[:, None, None])

    def look(images: np.ndarray) -> np.ndarray:
        return _run(one, images, 32)

    return FeatureExtractor("dinov2", _digest(path), "features", "dinov2", look, lambda raw: raw, 384)


class Borrowed:
    """The networks that are at hand, and why the others are not.

    Attributes:
        views: of Inception and DINOv2.
        classes: Inception's class probabilities (N, 1008) of uint8 images, or None.
        lpips: a distance of image pairs, or None.
        missing: distance, extractor and reason of each metric that cannot be computed.
    """

    METRICS: ClassVar[dict[str, tuple[tuple[str, str | None], ...]]] = {
        "inception": (("fd", "inception"), ("kd", "inception"), ("inception_score", "inception")),
        "dinov2": (("fd", "dinov2"), ("kd", "dinov2")),
        "alexnet": (("lpips_within", None),),
    }

    def __init__(self, given: Mapping[str, Path], cache: Path, download: bool, reporter: Reporter = SILENT) -> None:
        """Load what there is; arguments as `weights`."""
        self.views: list[FeatureExtractor] = []
        self.classes: Callable[[np.ndarray], np.ndarray] | None = None
        self.lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
        self.missing: list[tuple[str, str | None, str]] = []
        for name in PUBLISHED:
            try:
                path = weights(name, given, cache, download, reporter)
            except UnavailableError as error:
                self.missing += [(*metric, str(error)) for metric in self.METRICS[name]]
                continue
            if name == "inception":
                view, self.classes = inception_view(path)
                self.views.append(view)
            elif name == "dinov2":
                self.views.append(dinov2_view(path))
            else:
                self.lpips = lpips_distance(path)


def _run(network: Callable[[torch.Tensor], torch.Tensor], images: np.ndarray, batch: int) -> np.ndarray:
    with torch.inference_mode():
        parts = [torch.from_numpy(np.array(images[i : i + batch])) for i in range(0, len(images), batch)]
        return np.concatenate([network(part.permute(0, 3, 1, 2)).float().numpy() for part in parts])


def _load(network: nn.Module, path: Path, name: str, under: str = "") -> None:
    """Load safetensors, or the publisher's own pickle once its SHA-256 is the known one; names may start with `under`."""
    if path.suffix == ".safetensors":
        load_weights(network, path, under=under)
        return
    pin = PUBLISHED[name].sha256
    if not pin or _digest(path) != pin:
        raise UserError(
            f"{path} is no .safetensors file, nor the one from {PUBLISHED[name].url}, whose SHA-256 is "
            f"{pin or '(none: safetensors only)'}: it is not read, for such a file can hold a program."
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({k.removeprefix(under): v for k, v in state.items() if k.startswith(under)})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
