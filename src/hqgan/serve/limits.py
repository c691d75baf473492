"""Limits on requests, and the checks that every value from a browser passes before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hqgan.errors import UserError

MOST_IMAGES = 64
MOST_COMPARED = 16
"""Images shown beside their nearest real ones, and images of each of two runs."""
MOST_FRAMES = 16
LARGEST_SEED = 2**63 - 1
LEAST_TRUNCATION = 0.1
MOST_SHOTS = 4096
MOST_QUBITS = 12
"""Largest circuit that runs on another backend; a larger one would block the queue for too long."""
MOST_CHARACTERS = 200
"""Longest text in a request."""

QUEUE = 16
"""Requests that may wait; one is computed at a time."""
SESSIONS = 32
"""Tabs whose answers are kept until they are fetched."""
UNREAD = 8
"""Requests that a tab may send before it has to fetch the answers."""
CONNECTIONS = 128
BODY = 16 * 1024
"""Most bytes in the body of a request."""


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number within bounds, from a number or a text of digits.

    Raises:
        UserError: it is not a whole number, or it is out of bounds.
    """
    text = value.strip() if isinstance(value, str) and len(value) <= 20 else ""
    integral = type(value) is int or (isinstance(value, float) and value.is_integer())
    found = int(value) if integral or (text.isascii() and text.isdigit()) else None
    if found is None or not low <= found <= high:
        raise UserError(f"{what} has to be a whole number from {low:,} to {high:,}, not {shown(value)}.")
    return found


def number(value: Any, what: str, low: float, high: float) -> float:
    """A number within bounds.

    Raises:
        UserError: it is not a number, or it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"{what} has to be a number from {low:g} to {high:g}, not {shown(value)}.")
    return float(value)


def one_of(value: Any, what: str, offered: Sequence[str]) -> str:
    """One of the texts that the page offers.

    Raises:
        UserError: it is not one of them.
    """
    if isinstance(value, str) and value in offered:
        return value
    raise UserError(f"{what} cannot be {shown(value)}; choose one that the page offers.")


def shown(value: Any) -> str:
    """A value as it is shown in a message, cut short. A number of thousands of digits is not written out."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**20:
        return "a number with so many digits"
    if isinstance(value, str):
        return repr(value[:40])
    return repr(value)[:40] if isinstance(value, bool | int | float) or value is None else f"a {type(value).__name__}"
