from importlib import import_module

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hqgan.errors import UserError
from hqgan.experiments.study.classifiers import Recipe, build, recipe_of
from hqgan.experiments.study.training import probabilities, standard_augmentation, train

TIMM = {"resnet18": "resnet18", "vit-small": "vit_small_patch16_224"}


def bright_or_dark(n, seed, size=32):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return (rng.integers(0, 100, (n, size, size, 3)) + 120 * labels[:, None, None, None]).astype(np.uint8), labels


@pytest.mark.parametrize(
    "name", ["small", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet18", "vit-small"))]
)
def test_each_network_learns_what_is_plain(name):
    torch.manual_seed(0)
    recipe = Recipe(name, steps=40, batch=8, lr=1e-3)
    network = build(recipe, 2, 32)
    steps = []

    def batch(step):
        steps.append(step)
        return bright_or_dark(8, step)

    train(network, recipe, batch, standard_augmentation, None, 0)
    images, labels = bright_or_dark(40, 99)
    found = probabilities(network, images)
    assert found.sum(1) == pytest.approx(np.ones(40), abs=1e-5)
    assert (found.argmax(1) == labels).mean() > 0.9
    assert steps == list(range(40))


@pytest.mark.parametrize("name", ["resnet18", "vit-small"])
def test_given_weights_are_taken_but_for_the_head(name, tmp_path):
    torch.manual_seed(1)
    published = import_module("timm").create_model(TIMM[name], num_classes=5)
    save_file({k: v.contiguous() for k, v in published.state_dict().items()}, tmp_path / "model.safetensors")
    recipe = recipe_of(name, None, str(tmp_path / "model.safetensors"))
    assert recipe.lr < recipe_of(name, None, None).lr
    ours, theirs = build(recipe, 3, 64).state_dict(), published.state_dict()
    same = [k for k in ours if ours[k].shape == theirs[k].shape and torch.equal(ours[k], theirs[k])]
    assert len(same) >= len(ours) - 4
    assert not any(k.startswith(("head", "fc")) for k in same)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.manual_seed(1)
    published = import_module("timm").create_model("resnet18", num_classes=5)
    save_file(published.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="of another network"):
        build(recipe_of("vit-small", None, str(tmp_path / "model.safetensors")), 3, 64)
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(UserError, match=r"not a \.safetensors file"):
        build(recipe_of("resnet18", None, str(tmp_path / "model.bin")), 3, 64)
    with pytest.raises(UserError, match="no weights at"):
        build(recipe_of("resnet18", None, str(tmp_path / "none.safetensors")), 3, 64)
    with pytest.raises(UserError, match="no classifier 'vgg'"):
        recipe_of("vgg", None, None)


def test_augmentation_keeps_an_image_an_image():
    images = torch.linspace(-1, 1, 32).expand(6, 3, 32, 32).clone()
    changed = standard_augmentation(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert torch.isfinite(changed).all()
    assert (changed - images).abs().mean() > 0.05
    again = standard_augmentation(images, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)
    # Every image its own change.
    assert not torch.equal(changed[0], changed[1])


def test_the_weighted_loss_listens_to_the_rare_class():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (64, 32, 32, 3)).astype(np.uint8)
    labels = (np.arange(64) % 8 == 0).astype(np.int64)  # no image tells its class
    shares = []
    for weights in (None, np.array([1.0, 7.0])):
        torch.manual_seed(0)
        recipe = Recipe("small", steps=15, batch=64, lr=1e-3)
        network = build(recipe, 2, 32)
        train(network, recipe, lambda step: (noise, labels), None, weights, 0)
        shares.append(probabilities(network, rng.integers(0, 255, (64, 32, 32, 3)).astype(np.uint8))[:, 1].mean())
    assert shares[1] > shares[0] + 0.1
