"""How long a training is, in generator steps and in real images shown to the critic."""

from __future__ import annotations

import math

from hqgan.config import TrainingConfig


def images_per_step(config: TrainingConfig) -> int:
    """Real images shown to the critic for one generator step, repeats counted."""
    return config.batch * config.critic_steps


def steps_of(kimg: float, config: TrainingConfig) -> int:
    """Generator steps that make up `kimg` thousand images, at least one."""
    return max(1, math.ceil(kimg * 1000 / images_per_step(config)))
