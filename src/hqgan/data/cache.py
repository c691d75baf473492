"""Decoded images on disk: one read-only memory map per content and size, visible only when whole.

A folder of the cache holds ``images.npy`` (N, S, S, 3) uint8, ``files.npy``, ``original.npy`` and ``meta.json``. It is made under
a hidden name, part by part: whoever opens the same data meanwhile, on this machine or another that shares the disk, makes parts
that nobody else is making, and what is stopped goes on with the first part that is not there. The last one renames it, so that a
crash leaves either nothing visible or all of it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.data.decode import Decoded
from hqgan.errors import UserError
from hqgan.io.files import write_atomically

VERSION = 3
"""Part of every key: raise it when an entry holds something else."""
STALE_SECONDS = 7 * 24 * 3600
PART = 4096
"""Images that one process makes at a time, and that are lost when it is killed."""

SLOTS = ".slots"
"""Ending of a file that has room for every image, until it is known which can be read."""

Make = Callable[[int, int], Iterable[Decoded]]
"""Images number start to stop, in order."""


@dataclass(frozen=True)
class Entry:
    """A cached data set.

    Attributes:
        place: its folder.
        images: (N, S, S, 3) uint8, a read-only memory map.
        files: (N,) str, the files that were readable, in order; a memory map.
        original: (N, 2) int32, their width and height in pixels before cropping; a memory map.
        skipped: (row of the listing, reason) of the others.
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
    if given is not None:
        return Path(given)
    if os.environ.get("HQGAN_CACHE"):
        return Path(os.environ["HQGAN_CACHE"])
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


def store(
    folder: Path,
    key: str,
    size: int,
    files: Sequence[str],
    make: Make,
    *,
    part: int = PART,
    check: Callable[[list[tuple[int, str]]], None] = lambda skipped: None,
    progress: Callable[[int, int], None] | None = None,
) -> Entry:
    """Make an entry, or those parts of it that are not there and that no other process is making, and open it.

    What `make`, `check` and `progress` raise passes through. Whole parts are kept for a week.

    Args:
        folder: the cache's folder; made where missing.
        key: the entry's name.
        size: side of the images in pixels.
        files: their names.
        make: gives them; those without pixels are noted as skipped.
        part: images that `make` is asked for at a time.
        check: told, before the entry is opened to anybody, (row, reason) of all that were skipped; may refuse them.
        progress: called with (images done, images in all).

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    home, making, count = folder / "images", folder / "images" / f".{key}", len(files)
    parts = [(start, min(start + part, count)) for start in range(0, count, part)]
    locks = [home / f".{key}.{number:05d}.lock" for number in range(len(parts))]
    last = home / f".{key}.lock"
    entry = None
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        while entry is None:
            # First what nobody makes; then what somebody made, or was killed over.
            for wait in (False, True):
                for number, (start, stop) in enumerate(parts):
                    with _held(locks[number], wait) as mine:
                        # In this order: an entry that is opened to everybody takes its marks with it.
                        if mine and not _mark(making, number).exists() and load(folder, key, size) is None:
                            making.mkdir(exist_ok=True)
                            _write_part(making, number, start, size, _told(make(start, stop), start, count, progress))
            with _held(last, True):
                entry = load(folder, key, size)
                # Where a mark is gone somebody has given up, and taken all parts with him: once more, then.
                if entry is None and all(_mark(making, number).exists() for number in range(len(parts))):
                    marks = [_mark(making, number).read_text() for number in range(len(parts))]
                    skipped = [row for mark in marks for row in json.loads(mark)]
                    check(skipped)
                    _finish(making, files, size, skipped)
                    _publish(making, home / key, size)
                    for number in range(len(parts)):
                        _mark(home / key, number).unlink(missing_ok=True)
                    entry = load(folder, key, size)
                    if entry is None:
                        raise UserError(
                            f"The image cache in {folder} vanished while it was written: is another program clearing it?"
                        )
    except UserError:
        _forget(making, [*locks, last])  # what was refused will not be asked for again
        raise
    except OSError as error:
        _forget(making, [*locks, last])  # half of it is of no use on a disk that takes no more
        raise UserError(_why_not(error, folder, count * size * size * 3)) from error
    _forget(making, [*locks, last])
    return entry


def texts(place: Path, name: str, values: Callable[[], Iterable[str]]) -> np.ndarray:
    """(N,) str, a memory map of ``name.npy`` in an entry's folder; written when missing, in memory where it cannot be."""
    path = place / f"{name}.npy"
    with suppress(Exception):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    try:
        with tempfile.NamedTemporaryFile("wb", dir=place, prefix=".", delete=False) as stream:
            try:
                _write_texts(stream, values)
                stream.close()
                Path(stream.name).replace(path)
            finally:
                Path(stream.name).unlink(missing_ok=True)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:  # only a way to need less memory
        return np.array(list(values()), np.str_)


def workers() -> int:
    """Threads for reading and decoding; Pillow and hashlib let go of the interpreter's lock."""
    return min(8, cores())


def cores() -> int:
    """Cores that this process may run on, which in a container or under taskset are not all of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forget(making: Path, locks: Sequence[Path]) -> None:
    """Remove what is only needed while an entry is made, unless somebody else is at it."""
    with ExitStack() as stack, suppress(OSError):
        if all(stack.enter_context(_held(lock, False)) for lock in locks):
            shutil.rmtree(making, ignore_errors=True)
            for lock in locks:
                lock.unlink(missing_ok=True)


def _mark(making: Path, number: int) -> Path:
    """The file that says that a part is whole; it lists what was skipped."""
    return making / f"{number:05d}.json"


@contextmanager
def _held(path: Path, wait: bool) -> Iterator[bool]:
    """Whether this process alone holds a lock; it may wait for that. The system lets go of what killed processes held."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _told(
    rows: Iterable[Decoded], start: int, count: int, progress: Callable[[int, int], None] | None
) -> Iterator[Decoded]:
    for done, row in enumerate(rows, start + 1):
        yield row
        if progress:
            progress(done, count)


def _write_part(making: Path, number: int, start: int, size: int, rows: Iterable[Decoded]) -> None:
    """Put images where they belong in the one file; what is skipped leaves a hole.

    Plain writes, not a writable memory map: there a full disk would kill the process instead of raising.
    """
    skipped, hole = [], np.zeros((size, size, 3), np.uint8)
    pixels_of, sizes_of = making / f"images{SLOTS}", making / f"original{SLOTS}"
    for path in (pixels_of, sizes_of):
        path.touch()
    with pixels_of.open("r+b") as pixels, sizes_of.open("r+b") as sizes:
        pixels.seek(len(_image_header(0, size)) + start * size * size * 3)
        sizes.seek(len(_size_header(0)) + start * 8)
        for row, image in enumerate(rows, start):
            if image.pixels is None:
                skipped.append((row, image.reason))
            else:
                assert image.pixels.shape == (size, size, 3)
            pixels.write(np.ascontiguousarray(hole if image.pixels is None else image.pixels, np.uint8).data)
            sizes.write(np.array(image.original, "<i4").tobytes())
        _flush(pixels)
        _flush(sizes)
        for path, stream in ((pixels_of, pixels), (sizes_of, sizes)):
            if not os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                raise FileNotFoundError(errno.ENOENT, "Removed while it was written")
    write_atomically(_mark(making, number), json.dumps(skipped).encode())


def _finish(making: Path, files: Sequence[str], size: int, skipped: list[tuple[int, str]]) -> None:
    """Close the holes, write headers, names and facts. What was killed here is done again, from where it stood."""
    gone = frozenset(row for row, _ in skipped)
    kept = len(files) - len(gone)
    _close(making / "images.npy", _image_header(kept, size), size * size * 3, len(files), gone)
    _close(making / "original.npy", _size_header(kept), 8, len(files), gone)
    with (making / "files.npy").open("wb") as stream:
        _write_texts(stream, lambda: (file for row, file in enumerate(files) if row not in gone))
        _flush(stream)
    digest = hashlib.sha256()
    with (making / "images.npy").open("rb") as stream:
        stream.seek(len(_image_header(kept, size)))
        while piece := stream.read(2**20):
            digest.update(piece)
    meta = {"version": VERSION, "images": kept, "skipped": skipped, "images_sha256": digest.hexdigest()}
    write_atomically(making / "meta.json", json.dumps(meta).encode())


def _close(path: Path, header: bytes, each: int, count: int, gone: frozenset[int]) -> None:
    """An array of `count` rows of `each` bytes without those that are `gone`, from its slots, if they are still there."""
    slots = path.with_suffix(SLOTS)
    if not slots.exists():
        return
    if gone:
        with slots.open("rb") as old, path.open("wb") as new:
            new.write(header)
            old.seek(len(header))
            for row in range(count):
                content = old.read(each)
                if row not in gone:
                    new.write(content)
            _flush(new)
        slots.unlink()
    else:
        with slots.open("r+b") as stream:
            stream.write(header)
            _flush(stream)
        slots.replace(path)


def _image_header(count: int, size: int) -> bytes:
    return _header("|u1", (count, size, size, 3))


def _size_header(count: int) -> bytes:
    return _header("<i4", (count, 2))


def _header(kind: str, shape: tuple[int, ...]) -> bytes:
    """The .npy header; its length does not depend on the first axis, for numpy leaves room for one that grows."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _write_texts(stream: Any, values: Callable[[], Iterable[str]]) -> None:
    """Texts as an array (N,) of the longest one's length, a piece at a time."""
    count, longest = 0, 1
    for value in values():
        count, longest = count + 1, max(longest, len(value))
    stream.write(_header(f"<U{longest}", (count,)))
    rest = iter(values())
    while piece := list(islice(rest, 4096)):
        stream.write(np.array(piece, f"<U{longest}").tobytes())


def _flush(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _publish(making: Path, place: Path, size: int) -> None:
    """Rename into place. Another process may have been first: its entry, if whole, is as good as ours."""
    for _ in range(3):
        try:
            making.rename(place)
            return
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        if load(place.parent.parent, place.name, size) is not None:
            return
        with suppress(FileNotFoundError):
            damaged = Path(tempfile.mkdtemp(prefix=".damaged.", dir=place.parent))
            place.rename(damaged / "old")
            shutil.rmtree(damaged, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove what killed processes left behind and nobody went on with."""
    for path in home.glob(".*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _why_not(error: OSError, folder: Path, needed: int) -> str:
    remedy = "or point HQGAN_CACHE at a folder on another disk"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of the image cache {folder} is full ({needed / 1e6:,.0f} MB needed): free some space {remedy}."
        )
    return f"The image cache {folder} cannot be written ({error.strerror or error}): make it writable {remedy}."
