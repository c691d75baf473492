"""How a study's classifiers are trained and tested, and the standard augmentation.

Every arm's classifier takes the same number of steps of the same size with the same schedule; only the images differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hqgan.experiments.study.batches import Batches
from hqgan.experiments.study.classifiers import Recipe
from hqgan.io.images import to_float

BINS = 15
"""Equally wide bins of the calibration error."""


def train(
    network: nn.Module,
    recipe: Recipe,
    batches: Batches,
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None,
    class_weights: np.ndarray | None,
    seed: int,
) -> None:
    """Train in place for exactly `recipe.steps` steps.

    Args:
        network: maps images (B, 3, S, S) to logits (B, C).
        recipe: steps, learning rate and weight decay.
        batches: training images, see `Batches`.
        augment: random augmentation of float images (B, 3, S, S) in [-1, 1]; None for none.
        class_weights: (C,) weights of the cross-entropy; None for equal ones.
        seed: random seed of augmentation and dropout.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    weight = None if class_weights is None else torch.from_numpy(class_weights.astype(np.float32))
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    warm_up = max(0.1, 2 / recipe.steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.lr, total_steps=recipe.steps, pct_start=warm_up)
    network.to(memory_format=torch.channels_last)
    network.train()
    for step in range(recipe.steps):
        pixels, labels = batches(step)
        images = to_float(pixels)
        if augment is not None:
            images = augment(images, generator)
        images = images.contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(network(images), torch.from_numpy(labels), weight=weight, label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()


def probabilities(network: nn.Module, images: np.ndarray, batch: int = 128) -> np.ndarray:
    """(N, C) float32 softmax outputs for uint8 images (N, S, S, 3)."""
    network.eval()
    with torch.inference_mode():
        parts = [network(to_float(images[i : i + batch])).softmax(1).numpy() for i in range(0, len(images), batch)]
    return np.concatenate(parts)


def standard_augmentation(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The usual augmentation of dermatoscopic images: rotation, mirroring, scale, shift, contrast, brightness and colour.

    Args:
        images: (B, 3, S, S) in [-1, 1]; each is augmented on its own.
        generator: source of all randomness.

    Returns:
        Images of the same shape: rotated by any angle, mirrored, scaled by 0.8 to 1.25 and shifted by up to a tenth, with corners
        filled by reflection; contrast changed by 0.8 to 1.2, brightness by up to 0.2 and each channel by up to 0.05.
    """
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    angle, scale = uniform(0, 2 * np.pi, n), torch.exp(uniform(-0.223, 0.223, n))
    mirror = torch.where(uniform(0, 1, n) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    shift = uniform(-0.2, 0.2, n, 2)
    matrix = torch.stack(
        [torch.stack([cos * mirror, -sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)], 1
    )
    where = F.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, where, padding_mode="reflection", align_corners=False)
    mean = moved.mean((1, 2, 3), keepdim=True)
    lit = mean + (moved - mean) * uniform(0.8, 1.2, n, 1, 1, 1) + uniform(-0.2, 0.2, n, 1, 1, 1)
    return lit + uniform(-0.05, 0.05, n, 3, 1, 1)


def seed_of(seed: int, use: str) -> int:
    """A random seed for one use, such as ``weights``, from the seed of the split."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{use}".encode()).digest()[:7], "little")


@dataclass(frozen=True)
class Scores:
    """Scores on the test part.

    Attributes:
        balanced_accuracy: mean recall of the classes that have test images.
        accuracy: share of correct predictions, as the paper reports it.
        auroc: mean over classes of the area under the curve of one class against the rest.
        calibration_error: expected calibration error, see `calibration_error`.
        recall: by class name; None for a class without test images.
        f1: by class name; None for a class without test images.
    """

    balanced_accuracy: float
    accuracy: float
    auroc: float
    calibration_error: float
    recall: dict[str, float | None]
    f1: dict[str, float | None]


def scores(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Scores:
    """Scores of probabilities (N, C) for labels (N,)."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score

    predicted = probabilities.argmax(1)
    every = range(len(classes))
    # A class that is never predicted has no precision; its F1 is 0.
    _, recall, f1, images = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    auroc = [roc_auc_score(labels == c, probabilities[:, c]) for c in every if 0 < images[c] < len(labels)]

    def by_name(values: np.ndarray) -> dict[str, float | None]:
        return {name: float(v) if n else None for name, v, n in zip(classes, values, images, strict=True)}

    return Scores(
        balanced_accuracy=float(np.mean(recall[images > 0])),
        accuracy=float(accuracy_score(labels, predicted)),
        auroc=float(np.mean(auroc)),
        calibration_error=calibration_error(probabilities, labels),
        recall=by_name(recall),
        f1=by_name(f1),
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599) over `BINS` equally wide bins."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(right[place == b].mean() - sure[place == b].mean()) * np.mean(place == b) for b in np.unique(place)]
    return float(np.sum(gaps))
