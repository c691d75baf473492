"""Generators side by side under one budget: which makes the better images, and whether the quantum part has a share in it."""

from hqgan.experiments.compare.contestants import Settings
from hqgan.experiments.compare.estimate import hours
from hqgan.experiments.compare.grid import compare
from hqgan.experiments.compare.suites import SUITES, suite

__all__ = ["SUITES", "Settings", "compare", "hours", "suite"]
