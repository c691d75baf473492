"""Writing a file atomically, that is whole or not at all; tables as CSV; reading JSON of limited size.

Imports nothing of the package.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGEST_JSON = 16 * 2**20
"""In bytes; the JSON of a checkpoint needs a hundredth of that."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file to that then takes the place of `path`; where writing fails it is removed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that others see the old or the new file, also after a crash."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, with the same line ends everywhere."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def others(folder: Path, *own: str) -> list[Path]:
    """The files of a folder, without its `own` and without half-written ones of `write_atomically` in a killed process."""
    kept = "|".join(re.escape(name) for name in own)
    mine = re.compile(rf"({kept})|\.({kept})\.\d+\.part")
    return [path for path in folder.iterdir() if not mine.fullmatch(path.name)] if folder.exists() else []


def sweep(folder: Path, *patterns: str) -> None:
    """Remove incomplete files of killed processes that match the glob `patterns`; no other process may be writing there."""
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        if re.fullmatch(r"\..+\.\d+\.part", path.name):
            path.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """What a JSON file holds, if it is not larger than `LARGEST_JSON`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, no JSON, or nested too deeply.
    """
    if (size := path.stat().st_size) > LARGEST_JSON:
        raise ValueError(f"it has {size / 1e6:,.0f} MB, far more than facts take")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
