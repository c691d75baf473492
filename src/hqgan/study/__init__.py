"""The augmentation study: whether a classifier that sees generated images does better on real ones never seen."""

from hqgan.study.protocol import Settings, quick, study

__all__ = ["Settings", "quick", "study"]
