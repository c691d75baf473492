import dataclasses

import numpy as np
import pytest
import torch

from hqgan.evaluation import latent_geometry as geometry
from hqgan.metrics import latent
from hqgan.models.build import build_generator
from hqgan.sampling.load import load


@pytest.fixture(scope="module")
def loaded(tiny_run):
    return load(tiny_run)


def test_the_branches_derivatives_add_up_to_the_image_s(loaded):
    generator = loaded.generator.double()
    z = torch.randn(generator.noise_size, generator=torch.Generator().manual_seed(0)).double()
    maps = geometry._maps(generator, z, 2)
    whole, *parts = (latent.jacobian(f, z) for f in maps.values())
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
