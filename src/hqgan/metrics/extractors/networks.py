"""The two small networks that the project trains on the training split: `derm`, an eye, and `proto`, never one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hqgan.io.images import to_float
from hqgan.metrics.extractors.corruptions import STRUCTURE, spoil, strengths
from hqgan.reporter import SILENT, Reporter

PROTO_FEATURES = 1280
"""Features of `proto`; the generator's prototypes have as many (the paper's EfficientNet has)."""

_BATCH = 32
_EPOCHS = 3.5  # more, and the network knows its training images: the floor of a distance grows
_PROTO_EPOCHS = 6.0
_STEPS = (40, 800)  # at least, at most; so that a demo takes seconds and a large set minutes


class Eye(nn.Module):
    """Four stages of plain convolutions; what it gives are statistics of the maps of each.

    Batch normalisation and not group normalisation: at inference it is a fixed affine map, so that an image's own
    brightness and contrast pass through instead of being divided out.
    """

    WIDTHS = (24, 32, 64, 96)

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = self.WIDTHS
        self.stages = nn.ModuleList(
            [
                nn.Sequential(nn.PixelUnshuffle(2), _convolution(12, a)),
                _convolution(a, b),
                nn.Sequential(_convolution(b, c, 2), _convolution(c, c)),
                nn.Sequential(_convolution(c, d, 2), _convolution(d, d)),
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 432): mean and deviation over space of each channel of each stage, of images (B, 3, S, S)."""
        out = []
        for stage in self.stages:
            x = stage(x)
            mean = x.mean((2, 3))
            variance = (x.square().mean((2, 3)) - mean.square()).clamp_min(0)
            out += [mean, (variance + 1e-4).sqrt()]
        return torch.cat(out, 1)


class Proto(nn.Module):
    """A coarse stem and a wide last layer; 1280 features an image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), _convolution(48, 64), _convolution(64, 96, 2))
        self.wide = nn.Sequential(nn.Conv2d(96, PROTO_FEATURES, 1), nn.SiLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1280) features of images (B, 3, S, S)."""
        return self.wide(self.stem(x)).mean((2, 3))


def stage_columns(*stages: int) -> np.ndarray:
    """Which columns of the eye's output come from these stages, 0 to 3."""
    ends = np.cumsum([0, *(2 * width for width in Eye.WIDTHS)])
    return np.concatenate([np.arange(ends[s], ends[s + 1]) for s in stages])


def train_eye(images: np.ndarray, labels: np.ndarray, classes: int, seed: int, reporter: Reporter = SILENT) -> Eye:
    """Train `derm`'s network: the class of each image, clean and spoiled, and how strongly its structure was spoiled.

    The classes alone make a bad eye (a classifier forgets what does not tell classes apart, sharpness above all); asking
    each stage for the strength of a spoiling makes its maps move with it.

    Args:
        images: (N, S, S, 3) uint8 training images, S a multiple of 4.
        labels: (N,) class indices.
        classes: number of classes.
        seed: of initial weights, order and spoilings; equal seeds and threads give equal weights.
        reporter: receives the number of steps now and then.

    Returns:
        The network in inference mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        eye = Eye()
        width = 2 * sum(Eye.WIDTHS)
        scale = nn.BatchNorm1d(width, affine=False)
        classify = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, classes))
        grade = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, STRUCTURE))
        weights = _class_weights(labels, classes)

        def loss(x: torch.Tensor, y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            strength = strengths(len(x), generator)
            both = torch.cat([x, spoil(x, strength, generator)])
            features = scale(eye(both))
            wrong = F.cross_entropy(classify(features), torch.cat([y, y]), weight=weights, label_smoothing=0.1)
            target = torch.cat([torch.zeros_like(strength), strength])[:, :STRUCTURE]
            return 0.5 * wrong + 10 * F.mse_loss(grade(features), target)

        _fit([eye, classify, grade, scale], loss, images, labels, _EPOCHS, seed, "derm", reporter)
    return eye.eval()


def untrained_eye(images: np.ndarray, seed: int) -> Eye:
    """The same network with random weights; its normalisation is set on up to 1,000 real images."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        eye = Eye()
        for module in eye.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # a plain mean over what it is shown
        eye.train()
        for start in range(0, min(len(images), 1000), 125):
            eye(to_float(images[start : start + 125]))
    return eye.eval()


def fit_proto(images: np.ndarray, labels: np.ndarray, classes: int, seed: int, reporter: Reporter = SILENT) -> Proto:
    """Train `proto` by the classes alone. Arguments as `train_eye`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        proto, classify = Proto(), nn.Sequential(nn.Dropout(0.3), nn.Linear(PROTO_FEATURES, classes))
        weights = _class_weights(labels, classes)

        def loss(x: torch.Tensor, y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return F.cross_entropy(classify(proto(x)), y, weight=weights, label_smoothing=0.1)

        _fit([proto, classify], loss, images, labels, _PROTO_EPOCHS, seed, "proto", reporter)
    return proto.eval()


def run(network: nn.Module, images: np.ndarray, batch: int = 128) -> np.ndarray:
    """What `network` gives for uint8 images (N, S, S, 3), float32 (N, K), without gradients."""
    with torch.inference_mode():
        parts = [network(to_float(np.array(images[i : i + batch]))).numpy() for i in range(0, len(images), batch)]
    return np.concatenate(parts)


def _fit(
    modules: list[nn.Module],
    loss: Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor],
    images: np.ndarray,
    labels: np.ndarray,
    epochs: float,
    seed: int,
    name: str,
    reporter: Reporter,
) -> None:
    """AdamW with one cycle of the learning rate, random images turned and mirrored (dermatoscopy has no up)."""
    generator = torch.Generator().manual_seed(seed)
    steps = int(np.clip(round(epochs * len(labels) / _BATCH), *_STEPS))
    parameters = [p for module in modules for p in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.15)
    for module in modules:
        module.train()
    for step in range(steps):
        rows = torch.randint(len(labels), (_BATCH,), generator=generator).numpy()
        x, y = to_float(images[rows]), torch.from_numpy(np.asarray(labels)[rows].astype(np.int64))
        turn = int(torch.randint(8, (), generator=generator))
        x = torch.rot90(x, turn % 4, (2, 3))
        x = (x.flip(3) if turn >= 4 else x).contiguous()
        optimiser.zero_grad()
        loss(x, y, generator).backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            reporter.progress(f"training extractor {name}", step + 1, steps, "steps")


def _class_weights(labels: np.ndarray, classes: int) -> torch.Tensor:
    """(C,) weights by the inverse root of a class's count, 1 on average over images: half way to balance."""
    counts = np.bincount(labels, minlength=classes)
    weights = 1 / np.sqrt(counts + 1)
    return torch.from_numpy((weights / (weights * counts).sum() * counts.sum()).astype(np.float32))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
