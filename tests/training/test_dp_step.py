"""The private critic step: gradients as a loop finds them, never beyond the clip, noise of the right size."""

import pytest
import torch

from hqgan import config as configs
from hqgan.config import CriticConfig
from hqgan.models.build import build_critic, build_generator
from hqgan.models.critic import ConvolutionalCritic
from hqgan.training import losses
from hqgan.training.accountant import Plan
from hqgan.training.dp_step import (
    CHUNK,
    PairLoss,
    Private,
    PrivateStep,
    SecretDraws,
    clipped_sum,
    critic_steps,
    gradients_by_row,
)
from hqgan.training.state import new_state
from hqgan.types import Batch

CLASSES = 3
PLAN = Plan(8.0, 1e-5, 0.5, 2.0, 0.1, 100, 80)


def critic_of(head="flat"):
    torch.manual_seed(0)
    config = CriticConfig(channels=(4, 6, 8, 8), class_embedding=5, head=head, bias=True, start="he")
    return ConvolutionalCritic(config, CLASSES, 32).double()


def training_of(loss, **changes):
    return configs.preset("private", {"training.loss": loss, **changes}).training


def rows(count, seed=0):
    made = torch.Generator().manual_seed(seed)
    real, fake = (torch.rand(count, 3, 32, 32, generator=made, dtype=torch.float64) * 2 - 1 for _ in range(2))
    labels = torch.randint(0, CLASSES, (count,), generator=made)
    return real, fake, labels, torch.rand(count, generator=made, dtype=torch.float64)


@pytest.mark.parametrize("head", ["flat", "pool"])
@pytest.mark.parametrize("loss", ["wgan-gp", "hinge", "logistic"])
def test_gradients_by_lesion_agree_with_a_loop(loss, head):
    """The loop takes torch's own derivative of the score instead of the critic's, and its own words for each loss."""
    critic = critic_of(head)
    real, fake, labels, shares = rows(5)
    ours = gradients_by_row(PairLoss(critic, training_of(loss)), (real, fake, labels, shares))
    for i in range(5):
        y = labels[i : i + 1]
        score_real, score_fake = critic(real[i : i + 1], y)[0], critic(fake[i : i + 1], y)[0]
        total = {
            "wgan-gp": lambda r, f: f - r,
            "hinge": lambda r, f: torch.relu(1 - r) + torch.relu(1 + f),
            "logistic": lambda r, f: torch.log1p(torch.exp(-r)) + torch.log1p(torch.exp(f)),
        }[loss](score_real, score_fake)
        if loss == "wgan-gp":
            between = shares[i] * real[i] + (1 - shares[i]) * fake[i]
            slope = losses.gradient_of(lambda x, y=y: critic(x, y))(between[None])
            total = total + 10 * (slope.norm() - 1) ** 2
        wanted = torch.autograd.grad(total, list(critic.parameters()), allow_unused=True)
        for (name, parameter), g in zip(critic.named_parameters(), wanted, strict=True):
            g = torch.zeros_like(parameter) if g is None else g
            assert (ours[f"critic.{name}"][i] - g).abs().max() < 1e-10 * max(1, g.abs().max())


@pytest.mark.parametrize("count", [1, CHUNK, 2 * CHUNK + 3])
def test_the_sum_is_that_of_clipped_gradients(count):
    loss, data = PairLoss(critic_of(), training_of("logistic")), rows(count)
    each = gradients_by_row(loss, data)
    norms = torch.stack([g.flatten(1).square().sum(1) for g in each.values()]).sum(0).sqrt()
    clip = float(norms.median())
    found = clipped_sum(loss, data, clip)
    for name, g in each.items():
        wanted = sum(g[i] * min(1.0, clip / float(norms[i])) for i in range(count))
        assert torch.allclose(found[name], wanted, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e200, float("nan"), float("inf")])
@pytest.mark.parametrize("clip", [1e-3, 1.0])
def test_one_lesion_changes_the_sum_by_no_more_than_the_clip(scale, clip):
    """Whatever its image holds."""
    loss = PairLoss(critic_of(), training_of("logistic"))
    data = rows(4)
    data[0][1] *= scale
    without = tuple(torch.cat([t[:1], t[2:]]) for t in data)
    more, less = clipped_sum(loss, data, clip), clipped_sum(loss, without, clip)
    apart = torch.stack([(more[k] - less[k]).square().sum() for k in more]).sum().sqrt()
    assert apart <= clip * (1 + 1e-12)
    assert apart > 0.99 * clip or not abs(scale) < 1e100 or clip == 1.0


def test_of_no_lesion_the_sum_is_nought():
    loss = PairLoss(critic_of(), training_of("logistic"))
    assert all(not g.any() for g in clipped_sum(loss, rows(0), 1.0).values())


def state_of(config):
    torch.manual_seed(0)
    generator = build_generator(config, CLASSES)
    return new_state(generator, build_critic(config, CLASSES, generator), config.training, torch.device("cpu"))


@pytest.fixture
def config(tiny_changes):
    changes = {k: v for k, v in tiny_changes.items() if "kimg" not in k}
    return configs.preset("private", {**changes, "training.critic_steps": 1})


def private_of(count, secret=1, plan=PLAN):
    real, _, labels, _ = rows(count, seed=5)
    return Private(plan, CLASSES, lambda step: Batch(real.float(), labels), secret)


@pytest.mark.parametrize("count", [0, 5])
def test_the_step_is_the_clipped_sum_and_noise_over_the_expected_size(config, count):
    """Also with augmentation, and for a sample without any lesion: that is noise alone."""
    config = configs.replace(config, {"training.augment": ["color", "translation", "cutout", "affine"]})
    one, two = (state_of(config) for _ in range(2))
    quiet = Plan(8.0, 1e-5, PLAN.clip, 0.0, 0.1, 100, 80)
    critic_steps(one, private_of(count), config.training)
    critic_steps(two, private_of(count, plan=quiet), config.training)
    pairs = list(zip(one.critic.parameters(), two.critic.parameters(), strict=True))
    noise = torch.cat([(a.grad - b.grad).flatten() for a, b in pairs]) * config.training.batch
    deviation = PLAN.noise_multiplier * PLAN.clip
    assert abs(noise.std() / deviation - 1) < 5 / (2 * len(noise)) ** 0.5
    assert abs(noise.mean()) < 5 * deviation / len(noise) ** 0.5
    sums = torch.cat([b.grad.flatten() for _, b in pairs]) * config.training.batch
    assert sums.norm() <= count * PLAN.clip * 1.0001
    assert bool(sums.any()) == bool(count)


def test_noise_is_the_secrets_and_fresh_in_each_step(config):
    def grads(secret, step):
        state = state_of(config)
        state.step = step
        critic_steps(state, private_of(0, secret), config.training)
        return torch.cat([p.grad.flatten() for p in state.critic.parameters()])

    first = grads(1, 0)
    assert torch.equal(first, grads(1, 0))
    for other in (grads(2, 0), grads(1, 1)):
        assert abs(torch.corrcoef(torch.stack([first, other]))[0, 1]) < 5 / len(first) ** 0.5


def test_what_the_generator_learns_from_is_the_same_whatever_the_real_images_are(config):
    """Given the critic: its labels, its batch norms and its loss do not see a sample, and nothing of one is reported."""
    config = configs.replace(config, {"training.lr_critic": 1e-30})  # so that the critic stays as it is
    found = []
    for count in (0, 5):
        state = state_of(config)
        values, norms = PrivateStep(config.training, private_of(count))(state, with_norms=True)
        found.append((values, {k: v for k, v in norms.items() if k != "norm/critic"}, state.average.state_dict()))
    assert set(found[0][0]) == {"loss/generator"}
    assert found[0][:2] == found[1][:2]
    assert all(torch.equal(a, b) for a, b in zip(found[0][2].values(), found[1][2].values(), strict=True))


def test_the_penalty_lies_on_generated_images_of_all_classes_alone(config):
    """So that it needs no noise."""
    grads = {}
    for weight in (0.0, 0.7):
        changed = configs.replace(config, {"training.r1_weight": weight})
        for count in (0, 5):
            state = state_of(changed)
            made = critic_steps(state, private_of(count), changed.training)
            grads[weight, count] = [p.grad.clone() for p in state.critic.parameters()]
    state = state_of(config)
    slope = losses.gradient_of(lambda x: state.critic(x, made.labels))(made.images)
    penalty = 0.7 * config.training.r1_every * slope.square().sum((1, 2, 3)).mean() / 2
    wanted = torch.autograd.grad(penalty, list(state.critic.parameters()), allow_unused=True)
    for count in (0, 5):
        for a, b, g in zip(grads[0.7, count], grads[0.0, count], wanted, strict=True):
            assert torch.allclose(a - b, torch.zeros_like(a) if g is None else g, atol=1e-4)
    assert any(g is not None and g.abs().max() > 1e-3 for g in wanted)


def test_each_real_image_meets_a_generated_one_of_its_class(config, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "hqgan.training.dp_step.clipped_sum",
        lambda loss, data, clip: seen.append(data) or {k: torch.zeros_like(p) for k, p in loss.named_parameters()},
    )
    state = state_of(config)
    monkeypatch.setattr(
        state.generator,
        "fake_to_critic",
        lambda noise, labels: labels[:, None, None, None].float().expand(-1, 3, 32, 32),
    )
    made = critic_steps(state, private_of(40), config.training)
    _, fakes, labels, _ = seen[0]
    assert torch.equal(fakes[:, 0, 0, 0], labels.float())
    assert made.labels.tolist() == [i % CLASSES for i in range(config.training.batch)]


def test_the_secret_is_not_printed():
    assert "987654321" not in repr(private_of(1, secret=987654321))


def test_draws_know_every_part_of_the_secret():
    big = 2**255 + 1
    first = SecretDraws(big, "a", 0).normal(4)
    assert torch.equal(first, SecretDraws(big, "a", 0).normal(4))
    for other in ((big - 1, "a", 0), (big - 2**200, "a", 0), (big + 2**32, "a", 0), (big, "b", 0), (big, "a", 1)):
        assert not torch.equal(first, SecretDraws(*other).normal(4))


def test_draws_are_what_they_are_called():
    draws = SecretDraws(3, "a", 0)
    normal, uniform, integers = draws.normal(100, 100), draws.uniform(100, 100), draws.integers(-2, 3, 10_000)
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((0, 1), abs=0.03)
    assert 0 <= uniform.min() < 0.01
    assert 0.99 < uniform.max() < 1
    assert integers.unique().tolist() == [-2, -1, 0, 1, 2]
    assert normal.dtype == uniform.dtype == torch.float32
