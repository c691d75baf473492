"""Making an entry of the image cache, part by part; several processes may make it together.

An entry is made under a hidden name. A process that opens the same data meanwhile, on this machine or on another one that shares
the disk, makes parts that no other process is making. Work that was stopped continues with the first part that is missing. The
process that finishes last renames the folder, so that after a crash an entry is either complete or not visible.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqgan.data.cache import VERSION, Entry, header, load, write_texts
from hqgan.data.decode import Decoded
from hqgan.errors import UserError
from hqgan.io.files import flush, write_atomically
from hqgan.reporter import SILENT, Reporter

STALE_SECONDS = 7 * 24 * 3600
"""After so long, what killed processes left behind is removed."""
PART = 4096
"""Images that one process makes at a time, and that are lost when it is killed."""

SLOTS = ".slots"
"""Ending of a file that has room for every image, until it is known which of them can be read."""

Make = Callable[[int, int], Iterable[Decoded]]
"""Gives the images number start to stop, in order."""


def make_entry(
    folder: Path,
    key: str,
    size: int,
    files: Sequence[str],
    make: Make,
    *,
    part: int = PART,
    check: Callable[[list[tuple[int, str]]], None] = lambda skipped: None,
    reporter: Reporter = SILENT,
) -> Entry:
    """Make an entry, or those of its parts that are missing and that no other process is making, and open it.

    Exceptions of `make`, `check` and `reporter` pass through. Complete parts are kept for a week.

    Args:
        folder: the cache's folder; made where missing.
        key: the entry's name.
        size: side of the images in pixels.
        files: their names.
        make: gives the images; those without pixels are noted as skipped.
        part: images that `make` is asked for at a time.
        check: called with (row, reason) of all skipped images before the entry becomes visible; it may raise.
        reporter: receives how many images are decoded, as task ``decoding``.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    started = _Started(folder, key, size, files, part)
    entry = None
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        _sweep(folder / "images")
        while entry is None:
            started.make_parts(make, reporter)
            entry = started.complete(check)
    except UserError:
        started.forget()  # refused data are not asked for again
        raise
    except OSError as error:
        started.forget()  # on a full disk half an entry is of no use
        raise UserError(_why_not(error, folder, len(files) * size * size * 3)) from error
    started.forget()
    return entry


@dataclass(frozen=True)
class _Started:
    """An entry that is not complete: its parts are in a hidden folder, each with a lock, and a mark once it is complete."""

    folder: Path
    key: str
    size: int
    files: Sequence[str]
    part: int

    @property
    def _making(self) -> Path:
        return self.folder / "images" / f".{self.key}"

    @property
    def _starts(self) -> range:
        """The first image of each part."""
        return range(0, len(self.files), self.part)

    def _lock(self, number: int | None = None) -> Path:
        """The lock of a part; without a number that of the process that completes the entry."""
        return self._making.with_name(f".{self.key}{'' if number is None else f'.{number:05d}'}.lock")

    def make_parts(self, make: Make, reporter: Reporter) -> None:
        """Make the parts that no other process is making; then wait for the others, and make those that they left unfinished."""
        making, count = self._making, len(self.files)
        for wait in (False, True):
            for number, start in enumerate(self._starts):
                with _held(self._lock(number), wait) as mine:
                    # In this order: a finished entry takes its marks along.
                    if mine and not _mark(making, number).exists() and load(self.folder, self.key, self.size) is None:
                        making.mkdir(exist_ok=True)
                        images = _reported(make(start, min(start + self.part, count)), start, count, reporter)
                        _write_part(making, number, start, self.size, images)

    def complete(self, check: Callable[[list[tuple[int, str]]], None]) -> Entry | None:
        """Join the parts, make the entry visible, and open it; None if another process gave up and removed the parts."""
        with _held(self._lock(), True):
            entry = load(self.folder, self.key, self.size)
            marks = [_mark(self._making, number) for number in range(len(self._starts))]
            if entry is not None or not all(mark.exists() for mark in marks):
                return entry
            skipped = [row for mark in marks for row in json.loads(mark.read_text())]
            check(skipped)
            _finish(self._making, self.files, self.size, skipped)
            place = self.folder / "images" / self.key
            _publish(self._making, place, self.size)
            for number in range(len(marks)):
                _mark(place, number).unlink(missing_ok=True)
            if (entry := load(self.folder, self.key, self.size)) is None:
                raise UserError(
                    f"The image cache in {self.folder} vanished while it was written: is another program clearing it?"
                )
            return entry

    def forget(self) -> None:
        """Remove what is only needed while an entry is made, unless another process is making it."""
        locks = [self._lock(number) for number in (*range(len(self._starts)), None)]
        with ExitStack() as stack, suppress(OSError):
            if all(stack.enter_context(_held(lock, False)) for lock in locks):
                shutil.rmtree(self._making, ignore_errors=True)
                for lock in locks:
                    lock.unlink(missing_ok=True)


def _mark(making: Path, number: int) -> Path:
    """The file that marks a part as complete; it lists the images that were skipped."""
    return making / f"{number:05d}.json"


@contextmanager
def _held(path: Path, wait: bool) -> Iterator[bool]:
    """Take a lock if it is free, or wait for it; gives whether it was taken. The system frees the locks of killed processes."""
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


def _reported(rows: Iterable[Decoded], start: int, count: int, reporter: Reporter) -> Iterator[Decoded]:
    for done, row in enumerate(rows, start + 1):
        yield row
        reporter.progress("decoding", done, count)


def _write_part(making: Path, number: int, start: int, size: int, rows: Iterable[Decoded]) -> None:
    """Write images to their place in the one file; a skipped image leaves a hole.

    By plain writes: with a writable memory map a full disk would kill the process instead of raising an error.
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
            content = hole if image.pixels is None else image.pixels
            assert content.shape == hole.shape
            pixels.write(np.ascontiguousarray(content, np.uint8).data)
            sizes.write(np.array(image.original, "<i4").tobytes())
        flush(pixels)
        flush(sizes)
        for path, stream in ((pixels_of, pixels), (sizes_of, sizes)):
            if not os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                raise FileNotFoundError(errno.ENOENT, "Removed while it was written")
    write_atomically(_mark(making, number), json.dumps(skipped).encode())


def _finish(making: Path, files: Sequence[str], size: int, skipped: list[tuple[int, str]]) -> None:
    """Close the holes, write headers, names and meta.json. If the process is killed here, the next one continues."""
    gone = frozenset(row for row, _ in skipped)
    kept = len(files) - len(gone)
    _close(making / "images.npy", _image_header(kept, size), size * size * 3, len(files), gone)
    _close(making / "original.npy", _size_header(kept), 8, len(files), gone)
    with (making / "files.npy").open("wb") as stream:
        write_texts(stream, lambda: (file for row, file in enumerate(files) if row not in gone))
        flush(stream)
    with (making / "images.npy").open("rb") as stream:
        stream.seek(len(_image_header(kept, size)))
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    meta = {"version": VERSION, "images": kept, "skipped": skipped, "images_sha256": digest}
    write_atomically(making / "meta.json", json.dumps(meta).encode())


def _close(path: Path, header: bytes, each: int, count: int, gone: frozenset[int]) -> None:
    """Write an array of those of `count` rows of `each` bytes that are not `gone`, from its slots, if these are still there."""
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
            flush(new)
        slots.unlink()
    else:
        with slots.open("r+b") as stream:
            stream.write(header)
            flush(stream)
        slots.replace(path)


def _image_header(count: int, size: int) -> bytes:
    return header("|u1", (count, size, size, 3))


def _size_header(count: int) -> bytes:
    return header("<i4", (count, 2))


def _publish(making: Path, place: Path, size: int) -> None:
    """Rename the folder into its place. If another process was first and its entry is complete, that one is kept."""
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
    """Remove what killed processes left behind and no other process has continued."""
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
