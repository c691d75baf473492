"""What a critic may be, as a validated section of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hqgan.config.sections import Count, Section


class CriticConfig(Section):
    """Four stride-2 convolutions and a class-projection score (arXiv 1802.05637)."""

    kind: Literal["convolutions"] = "convolutions"
    channels: tuple[Count, Count, Count, Count] = (64, 128, 256, 512)
    class_embedding: Count = 128
    head: Literal["pool", "flat"] = "pool"
    """pool: global average, then linear (paper). flat: linear over the 4x4 map, which sees where things are."""
    bias: bool = False
    """Biases in the convolutions. Without (paper) a score is linear in an image's brightness, unable to bound it."""
    start: Literal["torch", "he", "reference"] = "torch"
    """First weights. torch: torch's own. he: convolutions by He's rule (arXiv 1502.01852), which learns sooner. reference:
    torch's, with the class projection drawn as the paper's code does, for a map from the features to the embedding."""


class FeatureCriticConfig(Section):
    """Hidden layers of its own for each class, on features instead of images (MosaiQ, LatentQGAN)."""

    kind: Literal["features"] = "features"
    hidden: tuple[Count, ...] = (64, 16)


class LightweightCriticConfig(Section):
    """Lightweight GAN's critic, which also has to redraw real images from its own maps (arXiv 2101.04775)."""

    kind: Literal["lightweight"] = "lightweight"
    channels: tuple[Count, Count, Count, Count] = (32, 64, 96, 128)
    """At 32, 16, 8 and 4 pixels of a 64-pixel image."""


class ResidualCriticConfig(Section):
    """StyleGAN2's critic: residual blocks, deviations within the batch, class projection (arXiv 1912.04958, 2006.06676)."""

    kind: Literal["residual"] = "residual"
    channels: tuple[Count, Count, Count, Count, Count] = (16, 32, 64, 128, 128)
    """At 64, 32, 16, 8 and 4 pixels of a 64-pixel image."""


class NoCriticConfig(Section):
    """None: for models that learn by a loss of their own."""

    kind: Literal["none"] = "none"


AnyCriticConfig = Annotated[
    CriticConfig | FeatureCriticConfig | LightweightCriticConfig | ResidualCriticConfig | NoCriticConfig,
    Field(discriminator="kind"),
]
CRITIC_KINDS = ("convolutions", "features", "lightweight", "residual", "none")
