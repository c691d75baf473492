"""Counts and lists for use in sentences, and tables on the terminal. Imports nothing of the package."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any


def plural(n: int, noun: str) -> str:
    """``1 image``, ``2 images``; for sentences."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}{'es' if noun.endswith('ss') else 's'}"


def at_most(value: float) -> str:
    """Two decimals, rounded up; for bounds."""
    return f"{math.ceil(100 * value - 1e-9) / 100:.2f}"


def duration(seconds: float) -> str:
    """``20 seconds``, ``4 minutes``, ``2.5 hours``: about how long, for sentences."""
    if seconds < 55:
        return plural(max(5, 5 * math.ceil(seconds / 5)), "second")
    if seconds < 5400:
        return plural(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"


def printable(text: str) -> str:
    """A text with escapes in place of what would move a terminal's cursor, colour it or break the line."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def markdown(text: str, most: int = 500) -> str:
    """A text from elsewhere as one line of Markdown that reads as it is written: no heading, link, table or HTML."""
    short = text if len(text) <= most else f"{text[:most]}..."
    return re.sub(r"([\\`*_\[\]<>|#&!~])", r"\\\1", printable(short))


def listed(names: Sequence[str]) -> str:
    """``a, b and c``; for sentences."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def cell(form: str, /, *numbers: Any, **named: Any) -> str:
    """A table's cell, on the terminal and on pages alike; plain text, never markup.

    Args:
        form: how it is written, as a format string: ``{:.3f}``; an interval stands in brackets: ``[{low:.3f}, {high:.3f}]``.
        numbers: its values; a dash stands for the cell if a number in it is None or NaN.
        named: its values by name; only those that `form` names matter.
    """
    try:
        text = form.format(*numbers, **named)
    except TypeError:  # None cannot be written as a number
        return "-"
    return (
        "-" if re.search(r"\bnan\b", text) and any(number != number for number in (*numbers, *named.values())) else text
    )


def table(*columns: str, title: str | None = None, caption: str | None = None, **style: Any) -> Any:
    """A rich table without rows, its first column for names and the others for numbers; `style` is rich's own."""
    from rich.table import Table

    result = Table(columns[0], title=title, caption=caption, **style)
    for name in columns[1:]:
        result.add_column(name, justify="right")
    return result
