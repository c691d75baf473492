"""Settings that are not allowed together with differential privacy, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hqgan.config.generators import HybridConfig

if TYPE_CHECKING:
    from hqgan.config import Config

_CRITICS = {
    "lightweight": "the batch norms of a lightweight one mix the images of a batch",
    "residual": "a residual one looks at groups of images",
    "features": "one on features needs a generator that is fitted to real images without noise",
    "none": "a generator without one learns from real images without noise",
}
_SOURCES = {
    "prototypes": "prototypes start from means of real images' features, to which no noise is added",
    "bounded": "the bound on the noise follows the critic's loss on real images",
}


def refusal(config: Config) -> str | None:
    """Why the guarantee of `config.privacy` would not hold, or None where it does (docs/privacy.md)."""
    training, generator = config.training, config.generator
    if (why := _CRITICS.get(config.critic.kind)) is not None:
        return f"critic.kind: private training needs a critic that scores each image alone (convolutions); {why}"
    if isinstance(generator, HybridConfig) and (why := _SOURCES.get(generator.latent_source)) is not None:
        return f"generator.latent_source: {why}; set it to normal for private training"
    if training.loss == "relativistic":
        return (
            "training.loss: the generator's relativistic loss looks at scores of real images; set it to logistic, hinge or "
            "wgan-gp for private training"
        )
    if training.balanced:
        return (
            "training.balanced: drawing classes equally often depends on their counts, and is not the sampling that is accounted "
            "for; set it to false for private training"
        )
    if training.adaptive_kimg:
        return "training.adaptive_kimg: adaptive augmentation follows scores of real images; set it to 0 for private training"
    if training.precision == "bf16-mixed":
        return "training.precision: gradients are clipped in full precision; set it to 32-true or 64-true for private training"
    return None
