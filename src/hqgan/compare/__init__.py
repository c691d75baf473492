"""Generators side by side under one budget: which makes the better images, and whether the quantum part has a share in it."""

from hqgan.compare.contestants import Settings
from hqgan.compare.estimate import hours
from hqgan.compare.grid import compare
from hqgan.compare.suites import SUITES, suite

__all__ = ["SUITES", "Settings", "compare", "hours", "suite"]
