"""SHA-256 of a data set's files; a file that has not changed is not read again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from hqgan.data.cache import key_of
from hqgan.data.decode import MAX_BYTES
from hqgan.runtime.threads import workers


def hash_files(root: Path, files: Sequence[str], folder: Path) -> list[str]:
    """Hex SHA-256 of each file's bytes, empty where it cannot be read.

    The cache keeps each file's hash with its size, modification time and change time, and an unchanged file is not read
    again.

    Args:
        root: the data set's folder.
        files: relative to `root`.
        folder: the cache's folder.
    """
    place = folder / "index" / f"{key_of(os.fspath(root.resolve()))}.json"
    known: dict[str, Any] = {}
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(place.read_text(encoding="utf-8"))
    known = known if isinstance(known, dict) else {}

    base = os.fspath(root)
    found: dict[str, list[Any]] = {}
    unread: list[str] = []
    for file in files:
        state = _state(f"{base}/{file}")
        old = known.get(file)
        if state and isinstance(old, list) and old[:-1] == state and isinstance(old[-1], str):
            found[file] = old
        elif state:
            found[file] = state
            unread.append(file)
    with ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(unread), 512):
            some = unread[start : start + 512]
            for file, digest in zip(some, pool.map(_hash_file, [root / file for file in some]), strict=True):
                found[file] = [*found[file], digest]
    found = {file: entry for file, entry in found.items() if entry[-1]}
    if found != known:
        # Only saves time: a full or read-only disk is reported where images are stored.
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=place.parent, prefix=".", delete=False) as stream:
                try:
                    json.dump(found, stream)
                    stream.close()
                    Path(stream.name).replace(place)
                finally:
                    Path(stream.name).unlink(missing_ok=True)
    return [found[file][-1] if file in found else "" for file in files]


def _state(path: str) -> list[int]:
    """Size and times of a file, which change with its content; empty where there is no such file."""
    try:
        stat = os.stat(path)  # noqa: PTH116
        return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    except OSError:
        return []


def _hash_file(path: Path) -> str:
    try:
        if path.suffix != ".npz" and path.stat().st_size > MAX_BYTES:
            return ""  # an image that will not be decoded
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
