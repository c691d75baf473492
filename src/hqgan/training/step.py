"""One training step: the critic's steps on one batch of real images, the generator's step, the moving average.

Distribution (`hqgan.training.distributed`), precision (`Autocast`) and augmentation (`hqgan.training.augment`) are objects of
their own. Private training replaces `AdversarialStep.train_critic` (`hqgan.training.dp_step`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from hqgan.config import TrainingConfig
from hqgan.runtime.random_streams import RandomStream, seed_modules, stream
from hqgan.training import ema, losses
from hqgan.training.augment import Augmentation, adapted
from hqgan.training.distributed import SINGLE, Processes
from hqgan.training.length import images_per_step
from hqgan.training.state import State
from hqgan.types import Batch

Values = dict[str, float]


class Autocast:
    """Runs forward passes in bfloat16 where the precision is ``bf16-mixed``; circuits choose their own precision.

    Args:
        precision: see `hqgan.config.TrainingConfig`.
    """

    def __init__(self, precision: str) -> None:
        self.enabled = precision == "bf16-mixed"

    def __call__(self, like: torch.Tensor) -> torch.autocast:
        """A context for forward passes on the device of `like`.

        Without torch's cache of converted weights: a weight that was converted where no gradients are recorded, as in the
        critic's own derivative, would be reused where they are, and get no gradient.
        """
        return torch.autocast(like.device.type, torch.bfloat16, enabled=self.enabled, cache_enabled=False)

    def around(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        """The same function, computed in this precision; its result has the dtype of its argument."""

        def narrowed(x: torch.Tensor) -> torch.Tensor:
            with self(x):
                return function(x).to(x.dtype)

        return narrowed


class TrainingStep(ABC):
    """What the training loop repeats. `step_of` and `hqgan.run.mode` choose one.

    Each of several processes computes with its shard of the batch, and all end with the same weights.

    Args:
        config: losses, penalties, their weights, numbers of steps.
        batches: index of the generator step to real images (B, 3, H, W) and labels (B,) on the right device; a pure function.
        processes: which processes train together; `batches` gives the shard of this one.
    """

    def __init__(self, config: TrainingConfig, batches: Callable[[int], Batch], processes: Processes = SINGLE) -> None:
        self.config, self.batches, self.processes = config, batches, processes
        self.autocast, self.augment = Autocast(config.precision), Augmentation(config.augment)

    @abstractmethod
    def __call__(self, state: State, *, with_norms: bool = False) -> tuple[Values, Values]:
        """Move `state` by one generator step; return losses by name and, if asked for, gradient norms by part."""

    def log_values(self, state: State) -> Values:
        """Further values to log beside the mean losses."""
        return {}


class AdversarialStep(TrainingStep):
    """`TrainingConfig.critic_steps` critic steps on one batch of real images, then one generator step."""

    def __call__(self, state: State, *, with_norms: bool = False) -> tuple[Values, Values]:
        """See `TrainingStep`."""
        generator, critic = state.generator, state.critic
        generator.train()
        seed_modules(self.config.seed, state.step)

        real, values = self.train_critic(state)
        norms = {"norm/critic": _norm(critic.parameters())} if with_norms else {}

        critic.requires_grad_(False)
        loss, more = self.generator_loss(state, real)
        norms |= _update_generator(state, loss, self.processes, with_norms)
        critic.requires_grad_(True)

        values = self.processes.mean(values | more)
        if "loss/critic" in values:  # private steps report none
            generator.after_step(values["loss/generator"], values["loss/critic"])
        _finish(state, self.config)
        return values, norms

    def train_critic(self, state: State) -> tuple[Batch, Values]:
        """Train the critic on one batch; return the batch as the critic sees it, and the losses of the last critic step."""
        config, generator, first = self.config, state.generator, state.step * self.config.critic_steps
        real = self.batches(state.step)
        noise = self._draws("critic noise", state.step).normal(config.critic_steps * len(real), generator.noise_size)
        with torch.no_grad():
            # Most critics see images; some models have a critic in a space of their own.
            shown = Batch(generator.real_to_critic(real.images, real.labels), real.labels)
            # The generator does not change between critic steps, so their images are generated in one call.
            fakes = self._fakes(generator, noise.to(real.images), real.labels.repeat(config.critic_steps))
        values: Values = {}
        for i, fake in enumerate(fakes.chunk(config.critic_steps)):
            values |= self._critic_step(state, real, shown, fake, first + i)
        return shown, values

    def _critic_step(self, state: State, real: Batch, shown: Batch, fake: torch.Tensor, index: int) -> Values:
        """One update of the critic: adversarial loss, gradient penalty, the critic's own auxiliary loss."""
        config, critic, labels = self.config, state.critic, real.labels
        draws = self._draws("critic augment", index)
        images = torch.cat([self.augment(x, draws, state.augmented) for x in (shown.images, fake)])
        with self.autocast(images):
            scores = critic(images, labels.repeat(2))
        real_scores, fake_scores = scores.to(images.dtype).chunk(2)
        loss = losses.critic_loss(config.loss, real_scores, fake_scores)
        values = {
            "loss/critic": loss.item(),
            "score/real": real_scores.mean().item(),
            "score/fake": fake_scores.mean().item(),
        }
        gradient = self.autocast.around(self.augment.gradient(critic, labels, draws, state.augmented))
        if config.loss == "wgan-gp":
            penalty = losses.gradient_penalty(gradient, shown.images, fake, draws)
            loss = loss + config.gp_weight * penalty
            values["loss/penalty"] = penalty.item()
        elif config.r1_weight and index % config.r1_every == 0:  # lazily, so weighted up (arXiv 1912.04958, appendix B)
            penalty = losses.zero_centered_gradient_penalty(gradient, shown.images)
            if config.loss == "relativistic":  # R1 and R2 (arXiv 2501.05441)
                penalty = penalty + losses.zero_centered_gradient_penalty(gradient, fake)
            loss = loss + config.r1_weight * config.r1_every * penalty
        with self.autocast(images):
            auxiliary = critic.auxiliary(real.images, self._draws("auxiliary", index))
        if auxiliary is not None:
            loss = loss + auxiliary
            values["loss/auxiliary"] = auxiliary.item()
        assert state.critic_optimiser is not None
        state.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.average_gradients(critic.parameters())
        state.critic_optimiser.step()
        if config.adaptive_kimg:
            sign = self.processes.mean({"sign": real_scores.detach().sign().mean().item()})["sign"]
            values["augmented"] = state.augmented = adapted(state.augmented, sign, config)
        return values

    def generator_loss(self, state: State, real: Batch) -> tuple[torch.Tensor, Values]:
        """What the generator minimises: adversarial loss, its own penalty, path-length penalty.

        Args:
            state: whose generator and critic.
            real: images and labels from `train_critic`; generated images get the same labels.
        """
        config, generator, critic, now, labels = self.config, state.generator, state.critic, state.step, real.labels
        augment_draws = self._draws("generator augment", now)
        noise = self._draws("generator noise", now).normal(len(real), generator.noise_size).to(real.images)
        fakes = self.augment(self._fakes(generator, noise, labels), augment_draws, state.augmented)
        real_scores = None
        with self.autocast(noise):
            fake_scores = critic(fakes, labels)
            if config.loss == "relativistic":
                shown = self.augment(real.images, augment_draws, state.augmented)
                real_scores = critic(shown, labels).to(noise.dtype)
        loss = losses.generator_loss(config.loss, fake_scores.to(noise.dtype), real_scores)
        values = {"loss/generator": loss.item()}
        if (penalty := generator.penalty()) is not None:
            values["loss/prototypes"] = penalty.item()
            loss = loss + config.prototype_weight * penalty
        if config.path_weight and now % config.path_every == 0:  # arXiv 1912.04958, section 3.2
            half = max(1, len(labels) // 2)  # as in the paper, to save memory
            direction = self._draws("path direction", now).normal(half, *real.images.shape[1:]).to(real.images)
            lengths = generator.path_lengths(noise[:half], labels[:half], direction)
            penalty = generator.path_penalty(lengths, self.processes.mean({"mean": lengths.mean().item()})["mean"])
            values["loss/path"] = penalty.item()
            loss = loss + config.path_weight * config.path_every * penalty
        return loss, values

    def _fakes(self, generator: Any, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with self.autocast(noise):
            fakes = generator.fake_to_critic(noise, labels)
        return fakes.to(noise.dtype)

    def _draws(self, name: str, step: int) -> RandomStream:
        return stream(self.config.seed, name, step, self.processes.shard)


class OwnLossStep(TrainingStep):
    """One step of a generator that defines `loss` and has no critic."""

    def __call__(self, state: State, *, with_norms: bool = False) -> tuple[Values, Values]:
        """See `TrainingStep`."""
        real, generator = self.batches(state.step), state.generator
        generator.train()
        seed_modules(self.config.seed, state.step)
        draws = stream(self.config.seed, "loss", state.step, self.processes.shard)
        with self.autocast(real.images):
            loss = generator.loss(real.images, real.labels, draws)
        values = {"loss/generator": loss.item()}
        norms = _update_generator(state, loss, self.processes, with_norms)
        values = self.processes.mean(values)
        _finish(state, self.config)
        return values, norms


def step_of(
    state: State, config: TrainingConfig, batches: Callable[[int], Batch], processes: Processes = SINGLE
) -> TrainingStep:
    """The step of a model without private training: adversarial where there is a critic, else the generator's own loss."""
    kind = OwnLossStep if state.critic is None else AdversarialStep
    return kind(config, batches, processes)


def _update_generator(state: State, loss: torch.Tensor, processes: Processes, with_norms: bool) -> Values:
    generator = state.generator
    state.generator_optimiser.zero_grad(set_to_none=True)
    loss.backward()
    processes.average_gradients(generator.parameters())
    groups = generator.parameter_groups().items() if with_norms else ()
    norms = {f"norm/{name}": _norm(parameters) for name, parameters in groups}
    state.generator_optimiser.step()
    return norms


def _finish(state: State, config: TrainingConfig) -> None:
    """Count the step and move the average."""
    images = images_per_step(config)
    state.step += 1
    state.images += images
    ema.update(state.average, state.generator, state.images, images, 1000 * config.ema_half_life_kimg)


def _norm(parameters: Iterable[nn.Parameter]) -> float:
    squares = [p.grad.square().sum() for p in parameters if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
