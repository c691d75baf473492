"""What a request may ask for. Everything that comes from a browser passes here before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hqgan.errors import UserError

MOST_IMAGES = 64
MOST_COMPARED = 16
"""Images beside their nearest real ones, or of each of two runs."""
MOST_FRAMES = 16
LARGEST_SEED = 2**63 - 1
LEAST_TRUNCATION = 0.1
MOST_SHOTS = 4096
MOST_QUBITS = 12
"""Of circuits on other backends; larger ones would keep the others in the queue waiting."""
MOST_CHARACTERS = 200
"""Of a text in a request."""

QUEUE = 16
"""Requests that wait; one is worked on at a time."""
SESSIONS = 32
"""Tabs whose answers are kept until they are fetched."""
UNREAD = 8
"""Requests of a tab that fetches no answers."""
CONNECTIONS = 128
BODY = 16 * 1024
"""Bytes of a request."""


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number in bounds, from a number or its digits.

    Raises:
        UserError: it is none, or out of bounds.
    """
    number = None
    if isinstance(value, str) and len(value) <= 20 and value.strip().isascii() and value.strip().isdigit():
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and math.isfinite(value) and value == int(value):
        number = int(value)
    if number is None or not low <= number <= high:
        raise UserError(f"{what} is a whole number from {low:,} to {high:,}, not {shown(value)}.")
    return number


def share(value: Any, what: str, low: float, high: float) -> float:
    """A number in bounds.

    Raises:
        UserError: it is none, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"{what} is a number from {low:g} to {high:g}, not {shown(value)}.")
    return float(value)


def one_of(value: Any, what: str, offered: Sequence[str]) -> str:
    """A text among those offered.

    Raises:
        UserError: it is none of them.
    """
    if isinstance(value, str) and value in offered:
        return value
    raise UserError(f"{what} is not {shown(value)}; choose one that the page offers.")


def shown(value: Any) -> str:
    """A value in a sentence, cut short. Numbers of thousands of digits are not written out at all."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**20:
        return "a number with so many digits"
    if isinstance(value, str):
        return repr(value[:40])
    return repr(value)[:40] if isinstance(value, bool | int | float) or value is None else f"a {type(value).__name__}"
