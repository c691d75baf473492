"""Comparison of generators under one budget: which makes the better images, and what does the quantum part contribute."""

from hqgan.experiments.compare.contestants import SUITES, Settings, suite
from hqgan.experiments.compare.grid import compare, hours

__all__ = ["SUITES", "Settings", "compare", "hours", "suite"]
