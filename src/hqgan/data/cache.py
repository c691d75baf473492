"""Decoded images on disk: one read-only memory map per content and size, visible only when whole.

A folder of the cache holds ``images.npy`` (N, S, S, 3) uint8 and ``meta.json``. It is written under a temporary name,
flushed, then renamed, so that a crash or two processes at once leave either nothing or all of it.
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
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.data.decode import MAX_BYTES, Decoded
from hqgan.data.near import first_alike, perceptual_hash
from hqgan.types import UserError

VERSION = 2
"""Part of every key: raise it when an entry holds something else."""
STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """A cached data set.

    Attributes:
        images: (N, S, S, 3) uint8, a read-only memory map.
        files: the N files that were readable, in order.
        original: (N, 2) int64, their width and height in pixels before cropping.
        skipped: (file, reason) of the others.
        digest: hex SHA-256 of the images' bytes.
        alike: (N,) int64, of each image the first one that it is a near-duplicate of, or itself.
    """

    images: np.ndarray
    files: list[str]
    original: np.ndarray
    skipped: list[tuple[str, str]]
    digest: str
    alike: np.ndarray


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
        images = np.load(place / "images.npy", mmap_mode="r", allow_pickle=False)
        files = [str(file) for file in meta["files"]]
        original = np.array(meta["original"], np.int64).reshape(len(files), 2)
        skipped = [(str(file), str(reason)) for file, reason in meta["skipped"]]
        alike = np.array(meta["alike"], np.int64)
        whole = meta["version"] == VERSION and images.shape == (len(files), size, size, 3) and images.dtype == np.uint8
        whole = whole and alike.shape == (len(files),) and bool(((alike >= 0) & (alike <= np.arange(len(files)))).all())
        return Entry(images, files, original, skipped, str(meta["images_sha256"]), alike) if whole else None
    except Exception:
        # Whatever is wrong with it, it can be made again.
        return None


def store(folder: Path, key: str, size: int, rows: Iterable[tuple[str, Decoded]], expected: int) -> Entry:
    """Write an entry from (file, image) pairs, in order, and open it.

    An exception from `rows` leaves no trace and passes through.

    Args:
        folder: the cache's folder; made where missing.
        key: the entry's name.
        size: side of the images in pixels.
        rows: the images; those without pixels are noted as skipped.
        expected: about how many images will come, for the sentence about a full disk.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    home, temporary = folder / "images", None
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        temporary = Path(tempfile.mkdtemp(prefix=f".{key[:16]}.", dir=home))
        _write(temporary, size, rows)
        _publish(temporary, home / key, size)
    except OSError as error:
        raise UserError(_why_not(error, folder, expected * size * size * 3)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    entry = load(folder, key, size)
    if entry is None:
        raise UserError(f"The image cache in {folder} vanished while it was written: is another program clearing it?")
    return entry


def hash_files(root: Path, files: Sequence[str], folder: Path) -> list[str]:
    """Hex SHA-256 of each file's bytes, empty where it cannot be read.

    An index in the cache remembers (size, modification time, change time) -> hash, so that unchanged files are not read
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
        # Only a shortcut: a full or read-only disk is reported where images are stored.
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
    """What changes when a file's content does; empty where there is no such file."""
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


def workers() -> int:
    """Threads for reading and decoding; Pillow and hashlib let go of the interpreter's lock."""
    return min(8, cores())


def cores() -> int:
    """Cores that this process may run on, which in a container or under taskset are not all of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write(place: Path, size: int, rows: Iterable[tuple[str, Decoded]]) -> None:
    """Plain writes, not a writable memory map: there a full disk would kill the process instead of raising."""
    files, original, skipped, digest, hashes = [], [], [], hashlib.sha256(), []
    with (place / "images.npy").open("wb") as stream:
        stream.write(_header(0, size))
        for file, image in rows:
            if image.pixels is None:
                skipped.append((file, image.reason))
                continue
            pixels = np.ascontiguousarray(image.pixels, np.uint8)
            assert pixels.shape == (size, size, 3)
            stream.write(pixels.data)
            digest.update(pixels.data)
            hashes.append(perceptual_hash(pixels))
            files.append(file)
            original.append([int(side) for side in image.original])
        stream.seek(0)
        stream.write(_header(len(files), size))
        _flush(stream)
    meta = {
        "version": VERSION,
        "files": files,
        "original": original,
        "skipped": skipped,
        "images_sha256": digest.hexdigest(),
        "alike": first_alike(hashes).tolist(),
    }
    with (place / "meta.json").open("w", encoding="utf-8") as stream:
        json.dump(meta, stream)
        _flush(stream)


def _header(count: int, size: int) -> bytes:
    """The .npy header; its length does not depend on `count`, for numpy leaves room for a growing first axis."""
    buffer = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def _flush(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _publish(temporary: Path, place: Path, size: int) -> None:
    """Rename into place. Another process may have been first: its entry, if whole, is as good as ours."""
    temporary.chmod(0o755)
    for _ in range(3):
        try:
            temporary.rename(place)
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
    """Remove what killed processes left behind; a day is longer than any caching takes."""
    for path in home.glob(".*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _why_not(error: OSError, folder: Path, needed: int) -> str:
    remedy = "or point HQGAN_CACHE at a folder on another disk"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of the image cache {folder} is full ({needed / 1e6:,.0f} MB needed): free some space {remedy}."
        )
    return f"The image cache {folder} cannot be written ({error.strerror or error}): make it writable {remedy}."
