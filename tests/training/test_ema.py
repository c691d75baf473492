import pytest
import torch
from torch import nn

from hqgan.training import ema


def test_half_is_forgotten_after_a_half_life_and_buffers_move_too():
    network = nn.BatchNorm1d(1)
    average = ema.averaged_copy(network)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(8.0)
        network.num_batches_tracked.fill_(7)
    for _ in range(10):
        ema.update(average, network, images_seen=10**9, images=10, half_life=100)
    assert average.weight.item() == pytest.approx(2.0, rel=1e-5)
    assert average.running_mean.item() == pytest.approx(4.0, rel=1e-5)
    assert average.num_batches_tracked.item() == 7
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())


def test_zero_half_life_copies_and_the_start_is_forgotten():
    network = nn.Linear(2, 2)
    average = ema.averaged_copy(network)
    with torch.no_grad():
        network.weight.add_(1)
    ema.update(average, network, images_seen=32, images=32, half_life=0)
    assert torch.equal(average.weight, network.weight)
    with torch.no_grad():
        network.weight.add_(1)
    # After 32 images the half-life is at most 1.6 images, whatever was asked for.
    ema.update(average, network, images_seen=32, images=32, half_life=1e9)
    assert torch.allclose(average.weight, network.weight, atol=1e-4)


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2, affine=False)

    def forward(self, noise, labels):
        return self.norm(noise * (1 + labels[:, None]))


def test_settled_statistics_are_those_of_the_images_whatever_stood_there():
    torch.manual_seed(0)
    noise, labels = 3 + torch.randn(256, 2), torch.zeros(256, dtype=torch.long)
    average = ema.averaged_copy(Normed())
    average.norm.running_mean.fill_(99.0)
    ema.recalibrate_batch_norm(average, noise, labels, batch=128)
    assert torch.allclose(average.norm.running_mean, noise.mean(0), atol=1e-5)
    assert torch.allclose(average.norm.running_var, noise.var(0), rtol=0.05)
    assert not average.norm.training
    assert average.norm.momentum == 0.1
    first = {k: v.clone() for k, v in average.state_dict().items()}
    average.norm.running_var.fill_(5.0)
    ema.recalibrate_batch_norm(average, noise, labels, batch=128)
    assert all(torch.equal(v, first[k]) for k, v in average.state_dict().items())


def test_a_network_without_norms_is_left_alone():
    ema.recalibrate_batch_norm(nn.Linear(2, 2), torch.randn(4, 2), torch.zeros(4))
