"""The cache on disk: decoded images, one read-only memory map per content and size; and SHA-256 of a data set's files.

An entry of images is a folder with ``images.npy`` (N, S, S, 3) uint8, ``files.npy``, ``original.npy`` and ``meta.json``. It is
made by `hqgan.data.cache_parts` and appears under its own name only when it is complete.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from hqgan.data.decode import MAX_BYTES
from hqgan.io.files import replacing
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import workers

VERSION = 3
"""Part of every key: raise it when an entry holds something else."""


@dataclass(frozen=True)
class Entry:
    """A cached data set.

    Attributes:
        place: its folder.
        images: (N, S, S, 3) uint8, a read-only memory map.
        files: (N,) str, the files that were readable, in order; a memory map.
        original: (N, 2) int32, their width and height in pixels before cropping; a memory map.
        skipped: (row of the index, reason) of the images that cannot be read.
        digest: hex SHA-256 of the images' bytes.
    """

    place: Path
    images: np.ndarray
    files: np.ndarray
    original: np.ndarray
    skipped: list[tuple[int, str]]
    digest: str


def cache_folder(given: Path | None) -> Path:
    """The argument, else ``$HQGAN_CACHE``, else ``hqgan`` in the user's cache folder (``$XDG_CACHE_HOME``)."""
    if chosen := given or os.environ.get("HQGAN_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hqgan"


def key_of(*parts: object) -> str:
    """Hex SHA-256 of a list of plain values, and of the cache's version."""
    return hashlib.sha256(json.dumps([VERSION, *parts]).encode()).hexdigest()


def load(folder: Path, key: str, size: int) -> Entry | None:
    """The entry of `key`, or None where there is none or it is damaged."""
    place = folder / "images" / key
    try:
        meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
        images, files, original = (
            np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("images", "files", "original")
        )
        count = int(meta["images"])
        skipped = [(int(row), str(reason)) for row, reason in meta["skipped"]]
        whole = meta["version"] == VERSION and images.shape == (count, size, size, 3) and images.dtype == np.uint8
        whole = whole and files.shape == (count,) and files.dtype.kind == "U"
        whole = whole and original.shape == (count, 2) and original.dtype == np.int32
        return Entry(place, images, files, original, skipped, str(meta["images_sha256"])) if whole else None
    except Exception:
        # Whatever is wrong with it, it can be made again.
        return None


def texts(place: Path, name: str, values: Callable[[], Iterable[str]]) -> np.ndarray:
    """(N,) str, a memory map of ``name.npy`` in an entry's folder; written when missing, and held in memory where that fails."""
    path = place / f"{name}.npy"
    with suppress(Exception):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    try:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            write_texts(stream, values)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:  # a memory map only saves memory
        return np.array(list(values()), np.str_)


def header(kind: str, shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file; its length does not depend on the first axis, since numpy leaves room for one that grows."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def write_texts(stream: IO[bytes], values: Callable[[], Iterable[str]]) -> None:
    """Write texts as an array (N,) as wide as the longest, a piece at a time; `values` is called twice."""
    count, longest = 0, 1
    for value in values():
        count, longest = count + 1, max(longest, len(value))
    stream.write(header(f"<U{longest}", (count,)))
    rest = iter(values())
    while piece := list(islice(rest, 4096)):
        stream.write(np.array(piece, f"<U{longest}").tobytes())


def hash_files(root: Path, files: Sequence[str], folder: Path, reporter: Reporter = SILENT) -> list[str]:
    """Hex SHA-256 of each file's bytes, empty where it cannot be read.

    The cache keeps each file's hash with its size, modification time and change time, and an unchanged file is not read
    again.

    Args:
        root: the data set's folder.
        files: relative to `root`.
        folder: the cache's folder.
        reporter: receives how many files are read, as task ``reading``.
    """
    place = folder / "index" / f"{key_of(os.fspath(root.resolve()))}.json"
    known: Any = {}
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(place.read_text(encoding="utf-8"))

    def stored(file: str, state: list[int]) -> bool:
        old = known.get(file) if isinstance(known, dict) else None
        return isinstance(old, list) and old[:-1] == state and isinstance(old[-1], str)

    base = os.fspath(root)
    states = {file: state for file in files if (state := _state(f"{base}/{file}"))}
    unread = [file for file, state in states.items() if not stored(file, state)]
    found = {file: known[file] for file in states.keys() - set(unread)}
    with ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(unread), 512):
            some = unread[start : start + 512]
            for file, digest in zip(some, pool.map(_hash_file, [root / file for file in some]), strict=True):
                if digest:
                    found[file] = [*states[file], digest]
            reporter.progress("reading", start + len(some), len(unread), "files")
    if found != known:
        # Only saves time: a full or read-only disk is reported where images are stored.
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as temporary:
                temporary.write_text(json.dumps(found), encoding="utf-8")
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
