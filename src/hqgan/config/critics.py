"""Settings of the critics, as validated sections of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hqgan.config.sections import Count, Section


class CriticConfig(Section):
    """Four stride-2 convolutions and a class-projection score (arXiv 1802.05637)."""

    kind: Literal["convolutions"] = "convolutions"
    """Kind of critic: convolutions on images."""
    channels: tuple[Count, Count, Count, Count] = (64, 128, 256, 512)
    """Channels at 32, 16, 8 and 4 pixels of a 64-pixel image."""
    class_embedding: Count = 128
    """Length of the class embedding."""
    head: Literal["pool", "flat"] = "pool"
    """How the last map becomes a score. pool: global average, then linear (paper). flat: linear over the whole 4x4 map,
    which keeps positions."""
    bias: bool = False
    """Use biases in the convolutions. Without them (paper) a score is linear in an image's brightness and cannot bound
    it."""
    start: Literal["torch", "he", "reference"] = "torch"
    """Initial weights. torch: torch's own. he: convolutions by He's rule (arXiv 1502.01852), which learns sooner.
    reference: torch's, with the class projection initialised as in the paper's code."""


class FeatureCriticConfig(Section):
    """Separate hidden layers for each class, on features instead of images (MosaiQ, LatentQGAN)."""

    kind: Literal["features"] = "features"
    """Kind of critic: hidden layers on features."""
    hidden: tuple[Count, ...] = (64, 16)
    """Sizes of the hidden layers."""


class LightweightCriticConfig(Section):
    """Lightweight GAN's critic, which also has to redraw real images from its own maps (arXiv 2101.04775)."""

    kind: Literal["lightweight"] = "lightweight"
    """Kind of critic: Lightweight GAN's."""
    channels: tuple[Count, Count, Count, Count] = (32, 64, 96, 128)
    """Channels at 32, 16, 8 and 4 pixels of a 64-pixel image."""


class ResidualCriticConfig(Section):
    """StyleGAN2's critic: residual blocks, deviations within the batch, class projection (arXiv 1912.04958, 2006.06676)."""

    kind: Literal["residual"] = "residual"
    """Kind of critic: StyleGAN2's residual blocks."""
    channels: tuple[Count, Count, Count, Count, Count] = (16, 32, 64, 128, 128)
    """Channels at 64, 32, 16, 8 and 4 pixels of a 64-pixel image."""


class NoCriticConfig(Section):
    """No critic: for generators that define a loss themselves."""

    kind: Literal["none"] = "none"
    """Kind of critic: none."""


AnyCriticConfig = Annotated[
    CriticConfig | FeatureCriticConfig | LightweightCriticConfig | ResidualCriticConfig | NoCriticConfig,
    Field(discriminator="kind"),
]
