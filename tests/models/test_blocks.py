import torch

from hqgan.models.blocks import RunningNorm


def test_statistics_are_those_of_the_data_and_training_equals_evaluation():
    torch.manual_seed(0)
    norm = RunningNorm(2)
    for _ in range(400):
        norm(torch.randn(16, 2) * torch.tensor([3.0, 0.1]) + torch.tensor([5.0, -1.0]))
    assert torch.allclose(norm.mean, torch.tensor([5.0, -1.0]), atol=0.3)
    assert torch.allclose(norm.variance.sqrt(), torch.tensor([3.0, 0.1]), rtol=0.15)
    x = torch.randn(1000, 2) * torch.tensor([3.0, 0.1]) + torch.tensor([5.0, -1.0])
    trained, evaluated = norm(x), norm.eval()(x)
    assert torch.allclose(trained, evaluated, atol=0.1)


def test_a_rare_class_in_some_batches_does_not_change_the_others():
    """Batch norm fails this: it blows a batch of one class up to unit variance."""
    torch.manual_seed(0)
    norm = RunningNorm(1)
    for i in range(2000):
        x = 0.1 * torch.randn(16, 1)
        if i % 4 == 0:
            x[0] += 10
        norm(x)
    common = 0.1 * torch.randn(64, 1)
    assert (norm(common).std() / norm.eval()(common).std() - 1).abs() < 0.1


def test_gradients_flow_and_evaluation_changes_nothing():
    norm = RunningNorm(2)
    norm(torch.randn(8, 2))
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    x = torch.randn(8, 2, requires_grad=True)
    norm.eval()(x).sum().backward()
    assert (x.grad > 0).all()
    assert all(torch.equal(before[k], v) for k, v in norm.state_dict().items())
