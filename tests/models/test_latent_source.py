import math

import pytest
import torch

from hqgan.models.latent import BoundedNoise, PrototypeLatent


def test_latent_is_the_classs_mean_and_its_spread():
    torch.manual_seed(0)
    source = PrototypeLatent(3, 8)
    labels = torch.tensor([0, 2])
    mean = source.mean(source.prototypes)[labels]
    zero = source(torch.zeros(2, 8), labels)
    assert torch.allclose(zero, mean, atol=1e-6)
    one = source(torch.ones(2, 8), labels)
    assert torch.allclose(one - zero, torch.full((2, 8), math.log(2)), atol=1e-6)  # softplus(0)
    with torch.no_grad():
        source.spread.copy_(torch.tensor([-50.0, 0.0, 50.0]))
    spread = source(torch.ones(2, 8), labels) - source(torch.zeros(2, 8), labels)
    assert torch.allclose(spread[:, 0], torch.tensor([0.2, 0.8]), atol=1e-5)


def test_penalty_is_the_mean_hinge_over_pairs():
    source = PrototypeLatent(3, 8)
    points = torch.zeros(3, 1280)
    points[0, 0] = points[1, 0] = 2.0  # one direction: distance 0, hinge 1
    points[2, 1] = 1.0  # at right angles: distance sqrt 2, hinge 0
    source.start_from(points)
    assert source.penalty().item() == pytest.approx(1 / 3)


def test_bound_starts_at_an_eighth_of_pi_and_follows_the_ratio():
    noise = BoundedNoise()
    assert torch.allclose(noise(torch.ones(1, 2)), torch.full((1, 2), math.pi / 8))
    noise.after_step(1.0, 2.0)  # R0 = 0.5
    assert noise.bound.item() == pytest.approx(math.pi / 8)
    noise.after_step(3.0, 2.0)  # R - R0 = 1
    assert noise.bound.item() == pytest.approx(math.pi / 8 + 5 * math.pi / 8 * math.tanh(1))
    noise.after_step(0.0, 2.0)  # below R0: the smallest bound
    assert noise.bound.item() == pytest.approx(math.pi / 8)
    assert "bound" in noise.state_dict()
