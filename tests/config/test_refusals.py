"""Each setting under which the guarantee would not hold is refused by its sentence, and only together with privacy."""

import pytest

from hqgan import config as configs
from hqgan.errors import UserError

CASES = [
    ({"training.loss": "relativistic"}, "training.loss: the generator's relativistic loss looks at scores of real images"),
    ({"training.balanced": True}, "training.balanced: drawing classes equally often depends on their counts"),
    ({"training.adaptive_kimg": 10}, "training.adaptive_kimg: adaptive augmentation follows scores of real images"),
    ({"training.precision": "bf16-mixed"}, "training.precision: gradients are clipped in full precision"),
    ({"generator.latent_source": "prototypes"}, "prototypes start from means of real images' features"),
    ({"generator.latent_source": "bounded"}, "the bound on the noise follows the critic's loss on real images"),
    ({"critic": {"kind": "lightweight"}}, "the batch norms of a lightweight one mix the images of a batch"),
    ({"critic": {"kind": "residual"}}, "a residual one looks at groups of images"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), CASES)
def test_refused_with_privacy_and_taken_without(changes, words):
    with pytest.raises(UserError, match=words):
        configs.preset("private", changes)
    configs.preset("private", {**changes, "privacy.epsilon": None})


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("mosaiq", "fitted to real images without noise"),
        ("latentqgan", "fitted to real images without noise"),
        ("ddpm", "a generator without one learns from real images without noise"),
        ("stylegan2-ada", "groups of images"),
        ("lightweight", "batch norms"),
        ("paper", "prototypes"),
        ("hqgan", "relativistic"),
    ],
)
def test_presets_that_no_epsilon_goes_with(preset, words):
    with pytest.raises(UserError, match=words):
        configs.preset(preset, {"privacy.epsilon": 8})


@pytest.mark.parametrize("name", ["dcgan", "hqgan", "demo", "pqwgan", "hqgan-noise"])
@pytest.mark.parametrize("loss", ["logistic", "hinge", "wgan-gp"])
def test_other_generators_may_be_private(name, loss):
    assert configs.preset(name, {"privacy.epsilon": 1, "training.loss": loss}).private


@pytest.mark.parametrize(
    ("field", "value"),
    [("epsilon", 0), ("epsilon", -1), ("epsilon", float("nan")), ("delta", 0), ("delta", 1), ("clip", 0)],
)
def test_numbers_out_of_range(field, value):
    with pytest.raises(UserError, match=rf"privacy\.{field}"):
        configs.preset("private", {f"privacy.{field}": value})


def test_configs_without_privacy_keep_their_digest():
    config = configs.preset("demo")
    assert configs.digest(config) == configs.digest(configs.replace(config, {"privacy.delta": 1e-6}))
    private = configs.preset("private")
    assert configs.digest(private) != configs.digest(configs.replace(private, {"privacy.delta": 1e-6}))
