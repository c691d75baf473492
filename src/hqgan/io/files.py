"""Files written atomically, that is whole or not at all; tables as CSV; JSON of limited size; names that folders can have."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

LARGEST_JSON = 16 * 2**20
"""In bytes; the JSON of a checkpoint needs a hundredth of that."""

LARGEST_TABLE = 256 * 2**20
"""In bytes; the manifest of a million images needs about that."""

JOINER = "\u200d"
"""Between the parts of an emoji; it cannot be seen, and is no letter."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file to that then takes the place of `path`; where writing fails it is removed."""
    temporary = path.with_name(f".{path.name}.{secrets.randbelow(10**12)}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush(stream: IO[bytes]) -> None:
    """Have the system write what a file holds to its disk, so that a crash does not lose it."""
    stream.flush()
    os.fsync(stream.fileno())


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that others see the old or the new file, also after a crash."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        flush(stream)


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would compute; or one that `csv_text` has marked as text before."""
_PATHS = {"file", "file_name", "training_file"}
"""Columns of files, which stay paths that can be opened."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, with the same line ends everywhere.

    A text that a spreadsheet would take for a formula is written with ``'`` before it, a path with ``./``; `plain` removes
    either.
    """
    marks = ["./" if name in _PATHS else "'" for name in head]

    def cells(row: Sequence[Any]) -> list[Any]:
        return [
            f"{mark}{value}" if isinstance(value, str) and _FORMULA.match(value) else value
            for mark, value in zip(marks, row, strict=True)
        ]

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *map(cells, rows)])
    return text.getvalue()


def plain(cell: str) -> str:
    """The text that `csv_text` wrote as this cell."""
    for mark in ("./", "'"):
        if cell.startswith(mark) and _FORMULA.match(cell.removeprefix(mark)):
            return cell.removeprefix(mark)
    return cell


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a small table with a header, as `csv_text` or a spreadsheet writes it, each cell as it was.

    Args:
        path: a regular file of up to `LARGEST_TABLE` bytes.
        columns: those that it has to have.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, is no UTF-8, lacks a column, or has a row of another length.
    """
    text = read_limited(path, LARGEST_TABLE).decode("utf-8-sig")
    try:
        head, *rows = csv.reader(io.StringIO(text, newline="")) if text.strip() else ([],)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if lacking := [name for name in columns if name not in head]:
        raise ValueError(f"it lacks the column {lacking[0]}; columns are separated by commas")
    rows = [row for row in rows if row]
    if wrong := next((number for number, row in enumerate(rows, 1) if len(row) != len(head)), None):
        raise ValueError(f"row {wrong} has another number of cells than its header")
    return [dict(zip(head, map(plain, row), strict=True)) for row in rows]


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


def read_limited(path: Path, most: int) -> bytes:
    """What a regular file of at most so many bytes holds; a device or a pipe may never end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else, or larger.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    data = b""
    if status.st_size <= most:
        with path.open("rb") as stream:  # never more than allowed: it may grow while it is read
            data = stream.read(most + 1)
    if (size := max(status.st_size, len(data))) > most:
        raise ValueError(f"it has {size / 1e6:,.0f} MB, more than the {most / 1e6:,.0f} that are read")
    return data


def read_json(path: Path) -> Any:
    """What a JSON file holds, if it is not larger than `LARGEST_JSON`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, no JSON, or nested too deeply.
    """
    try:
        return json.loads(read_limited(path, LARGEST_JSON).decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def same_in_other_letters(name: str, names: Sequence[str]) -> str | None:
    """The one of `names` that differs from `name` in capital letters or accents' encoding alone; None where there is none."""
    plain = unicodedata.normalize("NFC", name).casefold()
    return next((one for one in names if one != name and unicodedata.normalize("NFC", one).casefold() == plain), None)


def unfit_class(names: Sequence[str]) -> str | None:
    """The first class name that cannot be a folder's on some system, or is another's in other letters; None where all can.

    Images are written into folders by class.
    """
    seen = set()
    for name in names:
        plain = unicodedata.normalize("NFC", name).casefold()
        if (
            not name.replace(JOINER, "").isprintable()
            or set(name) & set('<>:"/\\|?*')
            or name != name.strip()
            or name.strip(".") == ""
            or name.endswith(".")
            or plain.split(".")[0] in _RESERVED
            or len(name.encode(errors="surrogatepass")) > 200
            or plain in seen
        ):
            return name
        seen.add(plain)
    return None
