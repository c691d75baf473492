"""The classifier is trained on generated images first, and on real ones afterwards."""

from __future__ import annotations

from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages, Use, by_class

SHARE = 0.3
"""Share of the steps that are spent on generated images."""


def batches(real: TrainingImages, generated: TrainingImages, sampling: Sampling) -> Batches:
    """Generated images for the first `SHARE` of the steps, then real ones; classes equally often in both."""
    first, then = by_class(generated, sampling), by_class(real, sampling)
    until = round(SHARE * sampling.steps)
    return lambda step: first(step) if step < until else then(step)


USE = Use(
    "the first 30 % of the steps on generated images of all classes, the rest on real ones; classes are drawn equally often",
    batches,
    every_class=True,
)
