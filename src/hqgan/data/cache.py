"""Decoded images on disk: one read-only memory map per content and size.

An entry of the cache is a folder with ``images.npy`` (N, S, S, 3) uint8, ``files.npy``, ``original.npy`` and ``meta.json``. It is
made by `hqgan.data.cache_parts` and appears under its own name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
