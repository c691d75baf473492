"""Comparison of generators under one budget: which makes the better images, and what does the quantum part contribute."""

from hqgan.experiments.compare.contestants import Settings
from hqgan.experiments.compare.estimate import hours
from hqgan.experiments.compare.grid import compare
from hqgan.experiments.compare.suites import SUITES, suite

__all__ = ["SUITES", "Settings", "compare", "hours", "suite"]
