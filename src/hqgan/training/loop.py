"""The training loop: steps only. Evaluation, logging, pictures and checkpoints hang on it as hooks."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn

from hqgan.config import TrainingConfig
from hqgan.errors import UserError
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.random_streams import RandomStream
from hqgan.runtime.step_streams import seed_modules, stream
from hqgan.training import ema, losses
from hqgan.training.augment import augment
from hqgan.training.distributed import SINGLE, Processes
from hqgan.training.dp_step import Private, critic_steps
from hqgan.training.state import State
from hqgan.types import Batch

DIVERGED = 1e6
"""A loss beyond this is divergence: WGAN losses on 64x64 images stay in the hundreds."""

CERTAIN = 0.6
"""Mean sign of real images' scores above which adaptive augmentation grows (arXiv 2006.06676, section 3.1)."""


@dataclass(frozen=True)
class Hook:
    """Something done every `every` steps and after the last one.

    Attributes:
        name: the kind of line it writes.
        call: takes the state; what it returns, if anything, is recorded.
    """

    name: str
    every: int
    call: Callable[[State], dict[str, Any] | None]


class Interrupted(Exception):
    """Ctrl-C or SIGTERM; the state is that of a finished step."""


class Diverged(UserError):
    """A loss or a weight is no longer a finite number."""


def images_per_step(config: TrainingConfig) -> int:
    """Real images shown to the critic for one generator step, repeats counted."""
    return config.batch * config.critic_steps


def steps_of(kimg: float, config: TrainingConfig) -> int:
    """Generator steps that make up `kimg`, at least one."""
    return max(1, math.ceil(kimg * 1000 / images_per_step(config)))


def train(
    state: State,
    batches: Callable[[int], Batch] | Private,
    config: TrainingConfig,
    hooks: list[Hook],
    record: Callable[[str, State, dict[str, Any]], None],
    reporter: Reporter = SILENT,
    ranks: Processes = SINGLE,
) -> None:
    """Step until `config.kimg` images were shown.

    Args:
        state: moved in place.
        batches: step index to real images and labels on the right device; a pure function. Or what private training draws from.
        config: how to learn.
        hooks: run in order after the steps they name.
        record: takes a kind, the state and what is to be written.
        reporter: receives after each step how many images were shown, as task ``training``.
        ranks: who trains; `batches` gives this process's share, and only the first runs hooks and records.

    Raises:
        Diverged: with the values that were not finite.
        Interrupted: after the step in which Ctrl-C or SIGTERM came; a second Ctrl-C stops at once.
    """
    total, log_every = steps_of(config.kimg, config), steps_of(config.log_kimg, config)
    with _stop_requests() as stop:
        while state.step < total:
            logged = (state.step + 1) % log_every == 0 or state.step + 1 == total
            real = batches if isinstance(batches, Private) else batches(state.step)
            values, norms = step(state, real, config, ranks, with_norms=logged)
            bad = {k: v for k, v in values.items() if not abs(v) < DIVERGED}
            if bad:
                raise Diverged(
                    f"Training diverged at step {state.step}: {', '.join(f'{k} is {v}' for k, v in bad.items())}"
                )
            for name, value in values.items():
                state.sums[name] = state.sums.get(name, 0.0) + value
            state.count += 1
            if logged:
                means = {name: value / state.count for name, value in state.sums.items()}
                if isinstance(batches, Private):
                    means["privacy/epsilon"] = batches.plan.spent(state.step * config.critic_steps)
                if ranks.first:
                    record("train", state, {**means, **norms})
                state.sums, state.count = {}, 0
            for hook in hooks if ranks.first else ():
                if state.step % hook.every == 0 or state.step == total:
                    found = hook.call(state)
                    if found is not None:
                        record(hook.name, state, found)
            reporter.progress("training", state.images, total * images_per_step(config))
            if ranks.any(bool(stop)):
                raise Interrupted


def step(
    state: State, real: Batch | Private, config: TrainingConfig, ranks: Processes = SINGLE, *, with_norms: bool = False
) -> tuple[dict[str, float], dict[str, float]]:
    """`config.critic_steps` critic steps on one real batch, then a generator step; or a step of the generator's own loss.

    Private critic steps each have a sample of their own; what is returned of them is covered by their noise.

    Of several processes each has its share of the batch, and all end with the same weights.

    Returns:
        The losses, and gradient norms by part where asked for.
    """
    generator, now = state.generator, state.step
    generator.train()
    seed_modules(config.seed, now)
    values: dict[str, float] = {}
    norms: dict[str, float] = {}
    if state.critic is None:
        assert isinstance(real, Batch)
        with autocast(config, real.images):
            total = generator.loss(real.images, real.labels, stream(config.seed, "loss", now, ranks.share))
        values["loss/generator"] = total.item()
    else:
        if isinstance(real, Private):
            seen = critic_steps(state, real, config)
        else:
            # What the critic sees of real images: themselves, but for models that work in a space of their own.
            with torch.no_grad():
                seen = Batch(generator.real_to_critic(real.images, real.labels), real.labels)
            values |= _critic_steps(state, real, seen, config, ranks)
        if with_norms:
            norms["norm/critic"] = _norm(list(state.critic.parameters()))
        state.critic.requires_grad_(False)
        total, losses_ = _generator_loss(state, seen, config, ranks)
        values |= losses_
    state.generator_optimiser.zero_grad(set_to_none=True)
    total.backward()
    ranks.average_gradients(generator.parameters())
    if with_norms:
        norms |= {f"norm/{name}": _norm(ps) for name, ps in generator.parameter_groups().items()}
    state.generator_optimiser.step()
    values = ranks.mean(values)
    if state.critic is not None:
        state.critic.requires_grad_(True)
    if "loss/critic" in values:
        generator.after_step(values["loss/generator"], values["loss/critic"])
    state.step += 1
    state.images += images_per_step(config)
    ema.update(state.average, generator, state.images, images_per_step(config), 1000 * config.ema_half_life_kimg)
    return values, norms


def _critic_steps(state: State, real: Batch, seen: Batch, config: TrainingConfig, ranks: Processes) -> dict[str, float]:
    generator, now, size = state.generator, state.step, config.critic_steps * len(real)
    noise = stream(config.seed, "critic noise", now, ranks.share).normal(size, generator.noise_size).to(real.images)
    with torch.no_grad():
        # The generator stands still during the critic's steps, so their images are made in one call.
        with autocast(config, noise):
            drafts = generator.fake_to_critic(noise, real.labels.repeat(config.critic_steps))
        fakes = drafts.to(noise.dtype).chunk(config.critic_steps)
    values: dict[str, float] = {}
    for i, fake in enumerate(fakes):
        values |= _critic_step(state, real, seen, fake, config, now * config.critic_steps + i, ranks)
    return values


def _generator_loss(
    state: State, seen: Batch, config: TrainingConfig, ranks: Processes
) -> tuple[torch.Tensor, dict[str, float]]:
    """What the generator minimises, and its terms."""
    generator, critic, now, labels = state.generator, state.critic, state.step, seen.labels
    rng = stream(config.seed, "generator augment", now, ranks.share)
    draws = stream(config.seed, "generator noise", now, ranks.share)
    noise = draws.normal(len(seen), generator.noise_size).to(seen.images)
    with autocast(config, noise):
        drafts = generator.fake_to_critic(noise, labels)
    fakes = _augmented(drafts.to(noise.dtype), state, config, rng)
    real_scores = None
    with autocast(config, noise):
        fake_scores = critic(fakes, labels)
        if config.loss == "relativistic":
            real_scores = critic(_augmented(seen.images, state, config, rng), labels).to(noise.dtype)
    total = losses.generator_loss(config.loss, fake_scores.to(noise.dtype), real_scores)
    values = {"loss/generator": total.item()}
    if (penalty := generator.penalty()) is not None:
        values["loss/prototypes"] = penalty.item()
        total = total + config.prototype_weight * penalty
    if config.path_weight and now % config.path_every == 0:
        half = max(1, len(labels) // 2)  # as in the paper, to spare memory
        draws = stream(config.seed, "path direction", now, ranks.share)
        direction = draws.normal(half, *seen.images.shape[1:]).to(seen.images)
        lengths = generator.path_lengths(noise[:half], labels[:half], direction)
        penalty = generator.path_penalty(lengths, ranks.mean({"mean": lengths.mean().item()})["mean"])
        values["loss/path"] = penalty.item()
        total = total + config.path_weight * config.path_every * penalty
    return total, values


def _critic_step(
    state: State,
    real: Batch,
    seen: Batch,
    fake: torch.Tensor,
    config: TrainingConfig,
    critic_step: int,
    ranks: Processes,
) -> dict[str, float]:
    critic, labels = state.critic, real.labels
    rng = stream(config.seed, "critic augment", critic_step, ranks.share)
    images = torch.cat([_augmented(seen.images, state, config, rng), _augmented(fake, state, config, rng)])
    with autocast(config, images):
        scores = critic(images, labels.repeat(2))
    real_scores, fake_scores = scores.to(images.dtype).chunk(2)
    loss = losses.critic_loss(config.loss, real_scores, fake_scores)
    by_images = gradient_through(critic, labels, config.augment, rng, state.augmented)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        with autocast(config, x):
            return by_images(x).to(x.dtype)

    values = {
        "loss/critic": loss.item(),
        "score/real": real_scores.mean().item(),
        "score/fake": fake_scores.mean().item(),
    }
    if config.loss == "wgan-gp":
        penalty = losses.gradient_penalty(gradient, seen.images, fake, rng)
        loss = loss + config.gp_weight * penalty
        values["loss/penalty"] = penalty.item()
    elif config.r1_weight and critic_step % config.r1_every == 0:
        penalty = losses.zero_centered_gradient_penalty(gradient, seen.images)
        if config.loss == "relativistic":
            penalty = penalty + losses.zero_centered_gradient_penalty(gradient, fake)
        loss = loss + config.r1_weight * config.r1_every * penalty
    with autocast(config, images):
        auxiliary = critic.auxiliary(real.images, stream(config.seed, "auxiliary", critic_step, ranks.share))
    if auxiliary is not None:
        loss = loss + auxiliary
        values["loss/auxiliary"] = auxiliary.item()
    assert state.critic_optimiser is not None
    state.critic_optimiser.zero_grad(set_to_none=True)
    loss.backward()
    ranks.average_gradients(critic.parameters())
    state.critic_optimiser.step()
    if config.adaptive_kimg:
        certain = ranks.mean({"sign": real_scores.detach().sign().mean().item()})["sign"] > CERTAIN
        state.augmented += (1 if certain else -1) * config.batch / (1000 * config.adaptive_kimg)
        state.augmented = min(max(state.augmented, 0.0), 1.0)
        values["augmented"] = state.augmented
    return values


def autocast(config: TrainingConfig, like: torch.Tensor) -> torch.autocast:
    """Where forward passes run: in bfloat16 if so configured, but for circuits, which see to themselves.

    Without the cache of narrowed weights: what is narrowed without gradients, as a critic's own derivative does, would be taken
    for a weight of none.
    """
    wanted = config.precision == "bf16-mixed"
    return torch.autocast(like.device.type, torch.bfloat16, enabled=wanted, cache_enabled=False)


def _augmented(images: torch.Tensor, state: State, config: TrainingConfig, rng: RandomStream) -> torch.Tensor:
    return augment(images, config.augment, rng, state.augmented)


def gradient_through(
    critic: Any, labels: torch.Tensor, policy: Sequence[str], rng: RandomStream, share: float = 1.0
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The gradient (B, 3, H, W) of a critic's scores by images (B, 3, H, W) of which it sees a share augmented.

    Differentiable once, by the critic's weights. Each call draws from `rng`.
    """

    def gradient(images: torch.Tensor) -> torch.Tensor:
        if not policy:
            return critic.gradient(images, labels)
        images = images.detach().requires_grad_(True)
        seen = augment(images, policy, rng, share)
        by_seen = critic.gradient(seen.detach(), labels).to(seen.dtype)
        return torch.autograd.grad(seen, images, by_seen, create_graph=True)[0]

    return gradient


def _norm(parameters: list[nn.Parameter]) -> float:
    squares = [p.grad.square().sum() for p in parameters if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that Ctrl-C or SIGTERM adds to; the second Ctrl-C acts as usual. Only the main thread may set handlers."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: a caller's own threads are the caller's to stop
        before = {}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
