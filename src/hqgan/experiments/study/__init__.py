"""The augmentation study: whether generated images in training help a classifier on real images that it has never seen."""

from hqgan.experiments.study.cells import Settings, quick
from hqgan.experiments.study.protocol import study

__all__ = ["Settings", "quick", "study"]
