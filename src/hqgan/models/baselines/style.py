"""StyleGAN2 (Karras et al., arXiv 1912.04958) with adaptive augmentation (2006.06676), from the papers, for 64x64.

Left out: noise injected between layers, style mixing, and the filter after up-sampling, which is bilinear here.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from hqgan.config.critics import ResidualCriticConfig
from hqgan.config.generators import StyleConfig
from hqgan.models.base import Generator
from hqgan.models.critic import Critic

GAIN = math.sqrt(2)
"""By which what goes into `activate` is scaled, so that what comes out varies as much as what went into the layer."""


def activate(x: torch.Tensor) -> torch.Tensor:
    """Leaky ReLU 0.2, in place of its input.

    It passes factors on, so the gain that keeps variances is multiplied into the weights before it instead of the maps after it,
    which are larger. In place, since on a CPU a new map of 32 MB takes five times as long as one that is there.
    """
    return F.leaky_relu_(x, 0.2)


class Linear(nn.Module):
    """A linear map with an equalised learning rate (arXiv 1710.10196): normal weights, scaled when used.

    Args:
        inputs, outputs: widths.
        bias: its start.
        rate: learning rate relative to that of other layers.
        gain: factor of what comes out.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.shift = gain * rate / math.sqrt(inputs), gain * rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs) to (B, outputs)."""
        return F.linear(x, self.weight * self.scale, self.bias * self.shift)


class Convolution(nn.Module):
    """A convolution with an equalised learning rate, size kept, what comes out multiplied by `gain`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain, self.scale, self.padding = gain, gain / math.sqrt(inputs * kernel**2), kernel // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        bias = None if self.bias is None else self.bias * self.gain
        return F.conv2d(x, self.weight * self.scale, bias, padding=self.padding)


class Modulated(nn.Module):
    """A convolution whose input channels the style scales, and whose output is scaled back to unit variance (section 2.2).

    Args:
        style: length of w.
        inputs, outputs: channels.
        kernel: its side in pixels.
        demodulate: scale back, then `activate`; not for the layer to colours.
    """

    def __init__(self, style: int, inputs: int, outputs: int, kernel: int = 3, *, demodulate: bool = True) -> None:
        super().__init__()
        self.style = Linear(style, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.padding, self.demodulate = 1 / math.sqrt(inputs * kernel**2), kernel // 2, demodulate

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) and w (B, style) to (B, outputs, H, W)."""
        style, weight = self.style(w), self.weight * self.scale
        # Scaling what goes in and what comes out is the same as scaling the weights, and keeps one convolution for the batch.
        x = x * style[..., None, None]
        if not self.demodulate:
            return F.conv2d(x, weight, self.bias, padding=self.padding)
        x = F.conv2d(x, weight, padding=self.padding)
        squares = weight.square().sum((2, 3)) @ style.square().T  # (outputs, B)
        back = GAIN * (squares.T + 1e-8).rsqrt()[..., None, None]
        return activate(torch.addcmul(GAIN * self.bias[:, None, None], x, back))


class StyleGenerator(Generator):
    """Mapping of noise and class to w, modulated convolutions on a learnt 4x4 constant, colours summed over sizes.

    Args:
        config: widths.
        classes: number of classes.
        size: of the images, in pixels.

    Attributes:
        path_mean: running mean of path lengths, which `path_penalty` holds them to.
    """

    path_mean: torch.Tensor

    def __init__(self, config: StyleConfig, classes: int, size: int) -> None:
        super().__init__()
        self.noise_size = config.latent
        self.embedding = nn.Embedding(classes, config.class_embedding)
        widths = (config.latent + config.class_embedding, *[config.style] * config.mapping_layers)
        self.mapping = nn.ModuleList(
            Linear(a, b, rate=0.01, gain=GAIN) for a, b in zip(widths, widths[1:], strict=False)
        )
        channels = config.channels[: {32: 4, 64: 5}[size]]
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.first = Modulated(config.style, channels[0], channels[0])
        pairs = list(zip(channels, channels[1:], strict=False))
        self.ups = nn.ModuleList(Modulated(config.style, a, b) for a, b in pairs)
        self.seconds = nn.ModuleList(Modulated(config.style, b, b) for _, b in pairs)
        self.colours = nn.ModuleList(Modulated(config.style, c, 3, 1, demodulate=False) for c in channels)
        self.register_buffer("path_mean", torch.zeros(()))

    def styles(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """W (B, style) of noise and class, each of unit mean square before it is mapped."""
        w = torch.cat([_normal(noise), _normal(self.embedding(labels))], 1)
        for layer in self.mapping:
            w = activate(layer(w))
        return w

    def synthesise(self, w: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size), not bounded, of styles w (B, style)."""
        x = self.first(self.constant.expand(len(w), -1, -1, -1), w)
        image = self.colours[0](x, w)
        for up, second, colour in zip(self.ups, self.seconds, self.colours[1:], strict=True):
            x = second(up(_double(x), w), w)
            image = _double(image) + colour(x, w)
        return image

    def fake_to_critic(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images that the critic sees: not cut off at -1 and 1, since the paper's layer to colours has no bound."""
        return self.synthesise(self.styles(noise, labels))

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        return self.fake_to_critic(noise, labels).clamp(-1, 1)

    def path_lengths(self, noise: torch.Tensor, labels: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """How far (B,) an image moves along a direction for a small step of its style.

        Args:
            noise: (B, noise_size).
            labels: (B,).
            direction: (B, 3, size, size) normal noise in image space.
        """
        w = self.styles(noise, labels)
        image = self.synthesise(w)
        projected = (image * direction / math.sqrt(image.shape[2] * image.shape[3])).sum()
        return torch.autograd.grad(projected, w, create_graph=True)[0].square().sum(1).sqrt()

    def path_penalty(self, lengths: torch.Tensor, mean: float) -> torch.Tensor:
        """Mean squared difference of path lengths from their running mean (equation 4), which it moves to the batch's `mean`."""
        with torch.no_grad():
            self.path_mean.lerp_(self.path_mean.new_tensor(mean), 0.01)
        return (lengths - self.path_mean).square().mean()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Disjoint parameter lists that together hold every parameter."""
        mapping = [*self.embedding.parameters(), *self.mapping.parameters()]
        return {
            "mapping": mapping,
            "synthesis": [p for name, p in self.named_parameters() if not name.startswith(("embedding", "mapping"))],
        }


class ResidualCritic(Critic):
    """Residual blocks to 4x4, the batch's deviations as a channel, a score by projection on the mapped class (2006.06676).

    Args:
        config: widths.
        classes: number of classes.
        size: of the images, in pixels.
    """

    def __init__(self, config: ResidualCriticConfig, classes: int, size: int) -> None:
        super().__init__()
        channels = config.channels[-{32: 4, 64: 5}[size] :]
        pairs = list(zip(channels, channels[1:], strict=False))
        self.colours = Convolution(3, channels[0], 1, GAIN)
        self.firsts = nn.ModuleList(Convolution(a, a, 3, GAIN) for a, _ in pairs)
        # The two ways of a block add up to twice the variance, so both are divided by the gain: the first way's own falls away.
        self.seconds = nn.ModuleList(Convolution(a, b, 3, 1.0) for a, b in pairs)
        self.skips = nn.ModuleList(Convolution(a, b, 1, 1 / GAIN, bias=False) for a, b in pairs)
        top = channels[-1]
        self.last = Convolution(top + 1, top, 3, GAIN)
        self.hidden, self.out = Linear(top * 16, top, gain=GAIN), Linear(top, top)
        self.embedding = nn.Embedding(classes, top)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores (B,) of images (B, 3, size, size) as members of classes (B,); higher is more real."""
        x = activate(self.colours(images))
        for first, second, skip in zip(self.firsts, self.seconds, self.skips, strict=True):
            main = F.avg_pool2d(activate(second(activate(first(x)))), 2)
            x = main + skip(F.avg_pool2d(x, 2))
        x = activate(self.last(torch.cat([x, _deviations(x)], 1)))
        x = self.out(activate(self.hidden(x.flatten(1))))
        return (x * _normal(self.embedding(labels))).sum(1) / math.sqrt(x.shape[1])


def _normal(x: torch.Tensor) -> torch.Tensor:
    """Rows of unit mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def _double(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _deviations(x: torch.Tensor, group: int = 4) -> torch.Tensor:
    """One channel: the mean standard deviation over groups of up to four images (arXiv 1710.10196, section 3)."""
    size = next(g for g in range(min(group, len(x)), 0, -1) if len(x) % g == 0)
    spread = (x.view(size, -1, *x.shape[1:]).var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return spread.repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:])
