"""The network behind `derm`, `early`, `middle`, `late` and `untrained`, the training images, and how networks learn from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hqgan.io.images import to_float, to_uint8
from hqgan.metrics.extractors.corruptions import STRUCTURE, corrupt, strengths
from hqgan.reporter import SILENT, Reporter
from hqgan.types import LabelledImages

SEED = 20240
_FITTED_ON = 2000  # clean training images, and as many corrupted ones, that set an extractor's directions
_BATCH = 32
_EPOCHS = 3.5  # more, and the network knows its training images: real vs. real grows
_STEPS = (40, 800)  # at least, at most; so that a demo takes seconds and a large set minutes


@dataclass(frozen=True)
class TrainingImages(LabelledImages):
    """A training split, and who receives the progress of training."""

    reporter: Reporter = SILENT

    @cached_property
    def clean(self) -> np.ndarray:
        """Up to 2,000 of the images, at random but always the same."""
        return self.images[np.random.default_rng(SEED).permutation(len(self.images))[:_FITTED_ON]]

    @cached_property
    def corrupted(self) -> np.ndarray:
        """The images of `clean`, corrupted at random."""
        generator = torch.Generator().manual_seed(SEED)
        parts = np.array_split(self.clean, -(-len(self.clean) // 250))
        done = [to_uint8(corrupt(to_float(x), strengths(len(x), generator), generator)) for x in parts]
        return np.concatenate(done)


class StageNetwork(nn.Module):
    """Four stages of plain convolutions; its features are statistics of the maps of each.

    Batch normalisation and not group normalisation: at inference it is a fixed affine map, so that an image's own
    brightness and contrast pass through instead of being divided out.
    """

    WIDTHS = (24, 32, 64, 96)

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = self.WIDTHS
        first = [nn.Sequential(nn.PixelUnshuffle(2), convolution(12, a)), convolution(a, b)]
        halving = [nn.Sequential(convolution(i, o, 2), convolution(o, o)) for i, o in ((b, c), (c, d))]
        self.stages = nn.ModuleList(first + halving)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 432): mean and deviation over space of each channel of each stage, of images (B, 3, S, S)."""
        out = []
        for stage in self.stages:
            x = stage(x)
            mean = x.mean((2, 3))
            variance = (x.square().mean((2, 3)) - mean.square()).clamp_min(0)
            out += [mean, (variance + 1e-4).sqrt()]
        return torch.cat(out, 1)


def stage_columns(*stages: int) -> np.ndarray:
    """Which columns of the network's output come from these stages, 0 to 3."""
    ends = np.cumsum([0, *(2 * width for width in StageNetwork.WIDTHS)])
    return np.concatenate([np.arange(ends[s], ends[s + 1]) for s in stages])


def train_network(training: TrainingImages) -> StageNetwork:
    """Train `derm`'s network: the class of each image, clean and corrupted, and how strongly its structure was corrupted.

    The classes alone make a bad extractor (a classifier forgets what does not distinguish classes, sharpness above all); asking
    each stage for the strength of a corruption makes its maps change with it.

    Args:
        training: images of a side that is a multiple of 4.

    Returns:
        The network in inference mode; equal images and threads give equal weights.
    """
    classes = int(training.labels.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = StageNetwork()
        width = 2 * sum(StageNetwork.WIDTHS)
        scale = nn.BatchNorm1d(width, affine=False)
        classify = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, classes))
        grade = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, STRUCTURE))
        weights = class_weights(training.labels, classes)

        def loss(x: torch.Tensor, y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            strength = strengths(len(x), generator)
            both = torch.cat([x, corrupt(x, strength, generator)])
            features = scale(network(both))
            wrong = F.cross_entropy(classify(features), torch.cat([y, y]), weight=weights, label_smoothing=0.1)
            target = torch.cat([torch.zeros_like(strength), strength])[:, :STRUCTURE]
            return 0.5 * wrong + 10 * F.mse_loss(grade(features), target)

        fit([network, classify, grade, scale], loss, training, _EPOCHS, SEED, "derm")
    return network.eval()


def untrained_network(images: np.ndarray, seed: int) -> StageNetwork:
    """The same network with random weights; its normalisation is set on up to 1,000 real images."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = StageNetwork()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # a plain mean over what it is shown
        network.train()
        for start in range(0, min(len(images), 1000), 125):
            network(to_float(images[start : start + 125]))
    return network.eval()


def in_batches(function: Callable[..., np.ndarray], size: int, *images: np.ndarray) -> np.ndarray:
    """What `function` gives for arrays of equally many images, taken `size` at a time, without gradients."""
    with torch.inference_mode():
        starts = range(0, len(images[0]), size)
        return np.concatenate([function(*(np.array(x[i : i + size]) for x in images)) for i in starts])


def run(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """What `network` gives for uint8 images (N, S, S, 3), float32 (N, K), without gradients."""
    return in_batches(lambda part: network(to_float(part)).numpy(), 128, images)


Loss = Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]
"""From images (B, 3, S, S), labels (B,) and a source of randomness to what is minimised."""


def fit(modules: list[nn.Module], loss: Loss, training: TrainingImages, epochs: float, seed: int, name: str) -> None:
    """AdamW with one cycle of the learning rate, random images turned and mirrored (dermatoscopy has no up)."""
    images, labels = training
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
            training.reporter.progress(f"training extractor {name}", step + 1, steps, "steps")


def class_weights(labels: np.ndarray, classes: int) -> torch.Tensor:
    """(C,) weights by the inverse root of a class's count, 1 on average over images: half way to balance."""
    counts = np.bincount(labels, minlength=classes)
    weights = 1 / np.sqrt(counts + 1)
    return torch.from_numpy((weights / (weights * counts).sum() * counts.sum()).astype(np.float32))


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, batch normalisation and ReLU."""
    filters = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(filters, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def from_weights(weights: dict[str, np.ndarray]) -> StageNetwork:
    """The network with these weights, in inference mode."""
    network = StageNetwork()
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    return network.eval()


def weights_of(network: nn.Module, prefix: str) -> dict[str, np.ndarray]:
    """A network's weights by name, with a prefix."""
    return {prefix + key: value.detach().numpy().copy() for key, value in network.state_dict().items()}
