import math

import pytest
import torch

from hqgan.runtime.random_streams import stream
from hqgan.training import losses

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])


def softplus(x):
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("kind", "critic", "generator"),
    [
        ("wgan-gp", -1.25 - 0.5, 1.25),
        ("hinge", (0 + 2) / 2 + (1.5 + 0) / 2, 1.25),
        (
            "logistic",
            (softplus(-2) + softplus(1)) / 2 + (softplus(0.5) + softplus(-3)) / 2,
            (softplus(-0.5) + softplus(3)) / 2,
        ),
        ("relativistic", (softplus(-1.5) + softplus(-2)) / 2, (softplus(1.5) + softplus(2)) / 2),
    ],
)
def test_by_hand(kind, critic, generator):
    assert losses.critic_loss(kind, REAL, FAKE).item() == pytest.approx(critic)
    assert losses.generator_loss(kind, FAKE, REAL).item() == pytest.approx(generator)


def test_penalties_of_a_linear_score_are_known():
    weight = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    norm = weight.norm()

    def score(images):
        return (images * weight).sum((1, 2, 3))

    images = torch.randn(5, 3, 4, 4)
    gradient = losses.gradient_of(score)
    assert losses.zero_centered_gradient_penalty(gradient, images).item() == pytest.approx(
        norm.item() ** 2 / 2, rel=1e-5
    )
    value = losses.gradient_penalty(gradient, images, -images, stream(0, "test", 0))
    assert value.item() == pytest.approx((norm.item() - 1) ** 2, rel=1e-5)


def test_penalty_reaches_the_critics_weights():
    critic = torch.nn.Conv2d(3, 1, 3)
    gradient = losses.gradient_of(lambda x: critic(x).square().sum((1, 2, 3)))
    penalty = losses.zero_centered_gradient_penalty(gradient, torch.randn(2, 3, 4, 4))
    penalty.backward()
    assert critic.weight.grad.abs().sum() > 0


def test_unknown_loss():
    with pytest.raises(ValueError, match="unknown loss"):
        losses.critic_loss("x", REAL, FAKE)
