"""The critic's step with differential privacy: gradients by lesion, clipped, summed, noise added.

DP-SGD (arXiv 1607.00133) on the critic alone (arXiv 1802.06739), several critic steps for each generator step
(2302.02936). The generator learns from the critic and from noise alone, so training it is post-processing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from hqgan.config import TrainingConfig
from hqgan.runtime.random_streams import RandomStream, stream
from hqgan.training import losses
from hqgan.training.accountant import Plan
from hqgan.training.augment import augment
from hqgan.training.state import State
from hqgan.training.step import AdversarialStep, Values
from hqgan.types import Batch

CHUNK = 16
"""Lesions whose gradients are in memory at a time."""


@dataclass(frozen=True)
class Private:
    """Samples of real images for private training, and its privacy plan.

    Attributes:
        plan: clipping, noise, sampling, steps.
        classes: their number, which is public.
        sample: index of a critic step to one image of each lesion in its Poisson sample; a pure function.
        secret: 256 bits from which all random numbers used with real images come. With it the noise could be removed.
    """

    plan: Plan
    classes: int
    sample: Callable[[int], Batch]
    secret: int = field(repr=False)


class PrivateStep(AdversarialStep):
    """A training step whose critic steps are private; the generator's step never sees a real image.

    Args:
        config: losses, their weights, numbers of steps.
        private: what the critic steps draw from.
    """

    def __init__(self, config: TrainingConfig, private: Private) -> None:
        super().__init__(config, private.sample)
        self.private = private

    def train_critic(self, state: State) -> tuple[Batch, Values]:
        """Train the critic on Poisson samples; return generated images and no losses, which the noise would not cover."""
        return critic_steps(state, self.private, self.config), {}

    def log_values(self, state: State) -> Values:
        """The epsilon spent so far."""
        return {"privacy/epsilon": self.private.plan.spent(state.step * self.config.critic_steps)}


class SecretDraws(RandomStream):
    """Random draws that cannot be guessed without the secret; torch's own generators use only 32 bits of a seed on the CPU.

    Args:
        secret: 256 bits.
        name: of the use.
        step: of the critic.
    """

    def __init__(self, secret: int, name: str, step: int) -> None:
        key = hashlib.sha256(f"{secret}/{name}/{step}".encode()).digest()
        self.numbers = np.random.Generator(np.random.PCG64(int.from_bytes(key, "little")))

    def uniform(self, *shape: int) -> torch.Tensor:
        """In [0, 1)."""
        return torch.from_numpy(np.asarray(self.numbers.random(shape, dtype=np.float32)))

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal."""
        return torch.from_numpy(np.asarray(self.numbers.standard_normal(shape, dtype=np.float32)))

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Whole numbers in [low, high)."""
        return torch.from_numpy(np.asarray(self.numbers.integers(low, high, shape)))


class PairLoss(nn.Module):
    """The critic's loss for one real image and a generated one of its class; its gradient is that of a lesion.

    Args:
        critic: see `hqgan.models.critic`; it scores each image alone.
        config: the loss, and wgan-gp's penalty.
    """

    def __init__(self, critic: Any, config: TrainingConfig) -> None:
        super().__init__()
        self.critic, self.config = critic, config

    def forward(self, real: torch.Tensor, fake: torch.Tensor, label: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """A scalar, from images (3, H, W), their class () and the weight `share` () of the real one in wgan-gp's penalty."""
        config = self.config
        scores = self.critic(torch.stack([real, fake]), label.expand(2))
        loss = losses.critic_loss(config.loss, scores[:1], scores[1:])
        if config.loss == "wgan-gp":
            between = share * real + (1 - share) * fake
            penalty = losses.unit_penalty(lambda images: self.critic.gradient(images, label[None]), between[None])
            loss = loss + config.gp_weight * penalty
        return loss


def critic_steps(state: State, private: Private, config: TrainingConfig) -> Batch:
    """`config.critic_steps` steps on Poisson samples of their own.

    Returns:
        Generated images and labels, a batch, every class equally often: what the generator's own step may know of images and
        labels, since neither depends on the real ones.
    """
    size = max(config.batch * config.critic_steps, private.classes)
    noise = stream(config.seed, "critic noise", state.step).normal(size, state.generator.noise_size)
    like = next(state.critic.parameters())
    labels = torch.arange(size, device=like.device) % private.classes
    with torch.no_grad():
        fakes_by_class = state.generator.fake_to_critic(noise.to(like), labels)
    for i in range(config.critic_steps):
        _critic_step(state, fakes_by_class, private, config, state.step * config.critic_steps + i)
    return Batch(fakes_by_class[: config.batch], labels[: config.batch])


def _critic_step(
    state: State, fakes_by_class: torch.Tensor, private: Private, config: TrainingConfig, now: int
) -> None:
    real, plan = private.sample(now), private.plan
    # Random numbers of an image are independent of all others and secret: its place in the sample makes no difference.
    draws = SecretDraws(private.secret, "critic draws", now)
    of_class = (len(fakes_by_class) - real.labels + private.classes - 1).div(private.classes, rounding_mode="floor")
    which = (draws.uniform(len(real)).to(real.images) * of_class).long()
    fakes = fakes_by_class[real.labels + private.classes * which]
    seen, made = (augment(images, config.augment, draws) for images in (real.images, fakes))
    shares = draws.uniform(len(real)).to(real.images)
    loss = PairLoss(state.critic, config)
    sums = clipped_sum(loss, (seen, made, real.labels, shares), plan.clip)
    noise = SecretDraws(private.secret, "critic gradient", now)
    assert state.critic_optimiser is not None
    state.critic_optimiser.zero_grad(set_to_none=True)
    for name, parameter in loss.named_parameters():
        added = noise.normal(*parameter.shape).to(parameter)
        # The expected size, not that of this sample, which is private.
        parameter.grad = (sums[name] + plan.noise_multiplier * plan.clip * added) / config.batch
    if config.r1_weight and config.loss != "wgan-gp" and now % config.r1_every == 0:
        _penalise(state.critic, fakes_by_class[: config.batch], private.classes, config)
    state.critic_optimiser.step()


def _penalise(critic: Any, images: torch.Tensor, classes: int, config: TrainingConfig) -> None:
    """Add the gradient of a zero-centred penalty on generated images of all classes: it sees no real one, and needs no noise."""
    labels = torch.arange(len(images), device=images.device) % classes
    penalty = losses.zero_centered_gradient_penalty(lambda x: critic.gradient(x, labels), images)
    (config.r1_weight * config.r1_every * penalty).backward()


def clipped_sum(loss: nn.Module, rows: tuple[torch.Tensor, ...], clip: float) -> dict[str, torch.Tensor]:
    """Gradients of `loss` by its parameters, one for each row, each clipped to the norm `clip`, and summed.

    Args:
        loss: takes one row of each tensor.
        rows: tensors of equal length, which may be zero.
        clip: of the norm over all parameters together.
    """
    total = {name: torch.zeros_like(p) for name, p in loss.named_parameters()}
    for part in zip(*(tensor.split(CHUNK) for tensor in rows), strict=True):
        if not len(part[0]):  # torch splits nothing into one part of nothing
            continue
        gradients = gradients_by_row(loss, part)
        norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0).sqrt()
        # A gradient that is not finite counts as zero: it would undo the clipping, and reveal its lesion.
        factors = torch.where(norms.isfinite(), clip / norms.clamp(min=clip), 0.0).to(norms.dtype)
        for name, gradient in gradients.items():
            total[name] += torch.einsum("b,b...->...", factors, gradient.nan_to_num(0.0, 0.0, 0.0))
    return total


def gradients_by_row(loss: nn.Module, rows: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    """Gradients of `loss` by its parameters, (B, *shape) each, a row of `rows` at a time."""
    parameters = {name: p.detach() for name, p in loss.named_parameters()}

    def of_row(parameters: Mapping[str, torch.Tensor], *row: torch.Tensor) -> torch.Tensor:
        return functional_call(loss, dict(parameters), row)

    return vmap(grad(of_row), in_dims=(None, *(0 for _ in rows)))(parameters, *rows)
