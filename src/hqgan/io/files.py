"""Files written atomically, that is whole or not at all; tables as CSV; JSON of limited size; folders: their locks and names."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hqgan.errors import UserError

LOCK = ".lock"
"""The locked file. It stays, empty; the system unlocks it when its process ends, also when it is killed."""

LARGEST_JSON = 16 * 2**20
"""In bytes; the JSON of a checkpoint needs a hundredth of that."""

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


@contextmanager
def exclusive(folder: Path, patience: float = 0) -> Iterator[None]:
    """Lock a folder, made where missing, while this process writes to it.

    Args:
        folder: the folder.
        patience: seconds to wait for another process that has locked it.

    Raises:
        UserError: another process has locked it.
    """
    from filelock import FileLock, Timeout

    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=patience):
            yield
    except Timeout:
        raise UserError(
            f"Another hqgan is at work in {folder}: wait until it has ended, or choose another `out`."
        ) from None
    finally:
        if made and [path.name for path in folder.iterdir()] == [LOCK]:  # nothing was written
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until a folder can be locked, and lock it while it is read and changed. The file `LOCK` stays in it."""
    from filelock import FileLock

    with FileLock(folder / LOCK):
        yield


def unfit_class(names: Sequence[str]) -> str | None:
    """The first class name that cannot be a folder's on some system, or is another's in other letters; None where all can.

    Images are written into folders by class.
    """
    seen = set()
    for name in names:
        plain = unicodedata.normalize("NFC", name).casefold()
        if (
            not name.isprintable()
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
