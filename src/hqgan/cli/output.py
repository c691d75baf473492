"""What commands show at the end: results on standard output and in JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hqgan.errors import UserError
from hqgan.io.files import write_atomically


def show(*things: Any) -> None:
    """Print rich tables and lines on standard output; wide enough for a file when there is no terminal."""
    from rich.console import Console

    # Names come from strangers' tables: what looks like markup in them is text.
    console = Console(markup=False)
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), markup=False)
    for thing in things:
        console.print(thing, highlight=False)


def write_json(path: Path, values: Any) -> None:
    """Write the result of a command."""
    try:
        write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another place for --json.") from error


def show_result(json_file: Path | None, values: Any, *things: Any) -> None:
    """Write the result of a command where --json asks for it, and print its tables and lines."""
    if json_file is not None:
        write_json(json_file, values)
    show(*things)
