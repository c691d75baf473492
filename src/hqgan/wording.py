"""Counts and lists for use in sentences. Imports nothing of the package."""

from __future__ import annotations

import math
from collections.abc import Sequence


def plural(n: int, noun: str) -> str:
    """``1 image``, ``2 images``; for sentences."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}{'es' if noun.endswith('ss') else 's'}"


def at_most(value: float) -> str:
    """Two decimals, rounded up; for bounds."""
    return f"{math.ceil(100 * value - 1e-9) / 100:.2f}"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``; for sentences."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
