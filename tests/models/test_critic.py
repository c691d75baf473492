"""The critic's own gradient by its input, which gradient penalties are made of, also through augmentation."""

import pytest
import torch

from hqgan.config import CriticConfig
from hqgan.models.critic import ConvolutionalCritic
from hqgan.runtime.random_streams import stream
from hqgan.training import losses
from hqgan.training.augment import Augmentation, augment


@pytest.mark.parametrize("head", ["pool", "flat"])
@pytest.mark.parametrize("bias", [False, True])
def test_gradient_and_penalty_are_autograds(head, bias):
    torch.manual_seed(0)
    config = CriticConfig(channels=(5, 6, 7, 8), head=head, bias=bias, class_embedding=4)
    critic = ConvolutionalCritic(config, classes=3, size=32).double()
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 2, 1, 0])
    plain = losses.gradient_of(lambda x: critic(x, labels))
    torch.testing.assert_close(critic.gradient(images, labels), plain(images))

    found = []
    for gradient in (lambda x: critic.gradient(x, labels), plain):
        critic.zero_grad()
        fake, rng = images.flip(0), stream(0, "test", 0)
        penalty = losses.zero_centered_gradient_penalty(gradient, images)
        (penalty + losses.gradient_penalty(gradient, images, fake, rng)).backward()
        found.append({name: p.grad for name, p in critic.named_parameters() if p.grad is not None and p.grad.any()})
    assert set(found[0]) == set(found[1])
    assert len(found[0]) == 7
    for name, by_hand in found[0].items():
        torch.testing.assert_close(by_hand, found[1][name], msg=name)


@pytest.mark.parametrize("policy", [(), ("translation",), ("color", "translation", "cutout")])
def test_gradient_passes_through_augmentation(policy):
    torch.manual_seed(0)
    critic = ConvolutionalCritic(CriticConfig(channels=(5, 6, 7, 8), class_embedding=4), classes=3, size=32).double()
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 2, 1, 0])

    def rng():
        return stream(0, "test", 1)

    draws = rng()
    plain = losses.gradient_of(lambda x: critic(augment(x, policy, draws), labels))
    found = []
    for gradient in (Augmentation(policy).gradient(critic, labels, rng()), plain):
        critic.zero_grad()
        value = gradient(images)
        value.square().sum().backward()
        found.append((value.detach(), critic.convolutions[0].weight.grad, critic.convolutions[3].weight.grad))
    for by_hand, autograd in zip(*found, strict=True):
        torch.testing.assert_close(by_hand, autograd)
