import dataclasses

import numpy as np
import pytest
import torch

from hqgan.evaluation import latent_geometry as geometry
from hqgan.models.build import build_generator
from hqgan.sampling.load import load


@pytest.fixture(scope="module")
def loaded(tiny_run):
    return load(tiny_run)


def test_the_branches_derivatives_add_up_to_the_image_s(loaded):
    generator = loaded.generator.double()
    z = torch.randn(generator.noise_size, generator=torch.Generator().manual_seed(0)).double()
    maps = geometry._maps(generator, z, 2)
    whole, *parts = (geometry.jacobian(f, z) for f in maps.values())
    apart = (parts[0] + parts[1] - whole).abs()
    # A step across a ReLU's bend is a derivative of neither side.
    assert (apart > 1e-6).float().mean() < 1e-4
    assert apart.norm() < 1e-3 * whole.norm()
    # And the whole is what autograd gives.
    z = z.requires_grad_(True)
    pixel = generator(z[None], torch.tensor([2]))[0, 1, 7, 9]
    (exact,) = torch.autograd.grad(pixel, z)
    size = loaded.config.data.size
    assert whole[:, size * size + 7 * size + 9].detach().numpy() == pytest.approx(exact.numpy(), abs=1e-5)
    loaded.generator.float()


def test_a_branch_without_a_way_to_the_image_has_no_share(loaded, monkeypatch):
    monkeypatch.setattr(geometry, "LATENTS", 2)
    monkeypatch.setattr(geometry, "PATHS", 2)
    generator = build_generator(loaded.config, len(loaded.classes))
    generator.load_state_dict(loaded.generator.state_dict())
    for parameter in generator.from_sites.parameters():
        torch.nn.init.zeros_(parameter)
    found = geometry.geometry(dataclasses.replace(loaded, generator=generator.eval()))
    rows = {row["of"]: row for row in found["jacobian"]}
    assert rows["through the quantum branch"]["share"] == pytest.approx(0, abs=1e-20)
    assert rows["through the quantum branch"]["effective_rank"] == 0
    assert rows["image"]["norm"] == pytest.approx(rows["through the classical branch"]["norm"])
    assert rows["image"]["dimensions"] == generator.noise_size
    assert 1 <= rows["image"]["effective_rank"] <= generator.noise_size
    assert np.all(np.diff(rows["image"]["spectrum"]) <= 1e-12)
    assert 0 < found["interpolation"]["evenness"] <= 1
    assert found["interpolation"]["detour"] >= 1 - 1e-9


def test_the_jacobian_agrees_with_autograd():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 20), torch.nn.Tanh(), torch.nn.Linear(20, 30)).double()
    z = torch.randn(5).double()
    exact = torch.autograd.functional.jacobian(lambda x: network(x[None])[0], z).T
    assert geometry.jacobian(network, z).numpy() == pytest.approx(exact.numpy(), abs=1e-7)
    values = geometry.spectrum(exact)
    assert values == pytest.approx(torch.linalg.svdvals(exact).numpy(), rel=1e-6)


def test_effective_rank():
    assert geometry.effective_rank(np.ones(7)) == pytest.approx(7)
    assert geometry.effective_rank(np.array([3.0, 0, 0])) == pytest.approx(1)
    assert 1 < geometry.effective_rank(np.array([3.0, 1, 0.1])) < 3
    assert geometry.effective_rank(np.zeros(4)) == 0


def test_a_path_keeps_to_its_ends_and_to_their_length():
    torch.manual_seed(1)
    a, b = torch.randn(2, 40).double()
    points = geometry.path(a, b)
    assert points[0].numpy() == pytest.approx(a.numpy())
    assert points[-1].numpy() == pytest.approx(b.numpy())
    lengths = points.norm(dim=1)
    assert lengths.numpy() == pytest.approx(np.linspace(float(a.norm()), float(b.norm()), len(points)))


def test_smoothness():
    even = np.linspace(0, 1, 17)[:, None, None]
    assert geometry.smoothness(even) == pytest.approx((1, 1))
    jump = (even > 0.5).astype(float)
    assert geometry.smoothness(jump) == pytest.approx((1 / 16, 1))
    there_and_on = np.concatenate([even[:9] * 2, 1 - even[:8] / 4])
    assert geometry.smoothness(there_and_on)[1] > 1.1
