"""Numpy files of texts, written a piece at a time and read as memory maps; and the headers of numpy files."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np


def texts(place: Path, name: str, values: Callable[[], Iterable[str]]) -> np.ndarray:
    """(N,) str, a memory map of ``name.npy`` in an entry's folder; written when missing, and held in memory where that fails."""
    path = place / f"{name}.npy"
    with suppress(Exception):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    try:
        with tempfile.NamedTemporaryFile("wb", dir=place, prefix=".", delete=False) as stream:
            try:
                write_texts(stream, values)
                stream.close()
                Path(stream.name).replace(path)
            finally:
                Path(stream.name).unlink(missing_ok=True)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:  # a memory map only saves memory
        return np.array(list(values()), np.str_)


def header(kind: str, shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file; its length does not depend on the first axis, since numpy leaves room for one that grows."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def write_texts(stream: Any, values: Callable[[], Iterable[str]]) -> None:
    """Write texts as an array (N,) as wide as the longest, a piece at a time; `values` is called twice."""
    count, longest = 0, 1
    for value in values():
        count, longest = count + 1, max(longest, len(value))
    stream.write(header(f"<U{longest}", (count,)))
    rest = iter(values())
    while piece := list(islice(rest, 4096)):
        stream.write(np.array(piece, f"<U{longest}").tobytes())


def flush(stream: Any) -> None:
    """Have the system write what a file holds to its disk, so that a crash does not lose it."""
    stream.flush()
    os.fsync(stream.fileno())
