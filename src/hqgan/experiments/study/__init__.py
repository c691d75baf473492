"""The augmentation study: whether a classifier that sees generated images does better on real ones never seen."""

from hqgan.experiments.study.cells import Settings, quick
from hqgan.experiments.study.protocol import study

__all__ = ["Settings", "quick", "study"]
