import torch

from hqgan.models.blocks import ConditionalNorm, ConditionalUp


def test_norm_is_batch_norm_with_a_scale_and_shift_of_the_class():
    torch.manual_seed(0)
    x, labels = 3 + 2 * torch.randn(8, 4, 5, 5), torch.arange(8) % 3
    norm = ConditionalNorm(4, 3)
    out, plain = norm(x, labels), torch.nn.BatchNorm2d(4, affine=False)(x)
    for i, label in enumerate(labels):
        expected = norm.scale[label][:, None, None] * plain[i] + norm.shift[label][:, None, None]
        assert torch.allclose(out[i], expected, atol=1e-6)
    for parameter in norm.parameters():
        assert 0.05 < parameter.std() < 0.2, "the classes start apart"


def test_a_class_in_the_batch_leaves_the_others_parameters_alone():
    norm = ConditionalNorm(2, 3)
    norm(torch.randn(4, 2, 3, 3), torch.tensor([0, 0, 2, 2])).square().sum().backward()
    for parameter in norm.parameters():
        assert parameter.grad[[0, 2]].abs().sum() > 0
        assert not parameter.grad[1].any()


def test_up_doubles():
    x, labels = torch.randn(2, 4, 3, 3), torch.tensor([0, 1])
    assert ConditionalUp(4, 3, 2)(x, labels).shape == (2, 3, 6, 6)
