import numpy as np
import pytest
import torch

from hqgan.metrics import latent, modes


def test_the_jacobian_agrees_with_autograd():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 20), torch.nn.Tanh(), torch.nn.Linear(20, 30)).double()
    z = torch.randn(5).double()
    exact = torch.autograd.functional.jacobian(lambda x: network(x[None])[0], z).T
    assert latent.jacobian(network, z).numpy() == pytest.approx(exact.numpy(), abs=1e-7)
    values = latent.spectrum(exact)
    assert values == pytest.approx(torch.linalg.svdvals(exact).numpy(), rel=1e-6)


def test_effective_rank():
    assert latent.effective_rank(np.ones(7)) == pytest.approx(7)
    assert latent.effective_rank(np.array([3.0, 0, 0])) == pytest.approx(1)
    assert 1 < latent.effective_rank(np.array([3.0, 1, 0.1])) < 3
    assert latent.effective_rank(np.zeros(4)) == 0


def test_a_path_keeps_to_its_ends_and_to_their_length():
    torch.manual_seed(1)
    a, b = torch.randn(2, 40).double()
    points = latent.path(a, b)
    assert points[0].numpy() == pytest.approx(a.numpy())
    assert points[-1].numpy() == pytest.approx(b.numpy())
    lengths = points.norm(dim=1)
    assert lengths.numpy() == pytest.approx(np.linspace(float(a.norm()), float(b.norm()), len(points)))


def test_smoothness():
    even = np.linspace(0, 1, 17)[:, None, None]
    assert latent.smoothness(even) == pytest.approx((1, 1))
    jump = (even > 0.5).astype(float)
    assert latent.smoothness(jump) == pytest.approx((1 / 16, 1))
    there_and_on = np.concatenate([even[:9] * 2, 1 - even[:8] / 4])
    assert latent.smoothness(there_and_on)[1] > 1.1


def found(made, labels, real, train):
    rows = modes.mode_rows("derm", made, labels, real, labels, train, "hash", 0)
    assert [(row.key, row.n) for row in rows] == [("ndb_derm", 400), ("near_duplicates_derm", 400)]
    for row in rows:
        assert 0 <= row.low <= row.value <= row.high <= 1
    return [(row.value, row.real_reference) for row in rows]


def test_collapsed_modes_are_seen_and_fresh_images_are_not():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)

    def draw(n=400):
        centres = np.repeat(rng.integers(0, 8, n)[:, None], 6, 1) * np.array([2, 0, 0, 0, 0, 0])
        return rng.normal(size=(n, 6)) + centres

    train, real = draw(1500), draw()
    (ndb, floor), (twins, twins_floor) = found(draw(), labels, real, train)
    assert abs(ndb - floor) < 0.12
    assert twins < 0.05
    assert twins_floor == 0.01
    collapsed = draw(40).repeat(10, 0) + 0.01 * rng.normal(size=(400, 6))
    (ndb, floor), (twins, _) = found(collapsed, labels, real, train)
    assert ndb > floor + 0.3
    assert twins > 0.9
