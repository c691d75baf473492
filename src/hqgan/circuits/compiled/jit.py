"""How the engine's loops are compiled, and where that is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import numba


def compiled(function: Any) -> Any:
    """`numba.njit` without the interpreter's lock, kept for the next process."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = before or _FOLDER
    try:
        return numba.njit(nogil=True, cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before


def _folder(here: Path) -> str:
    """A function is new to numba when its own file is, whatever it calls; so what is kept is filed under all of the files."""
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()[:12]
    kept = here / "__pycache__" / "numba"
    if not os.access(here, os.W_OK):
        return ""  # where numba puts it itself
    for old in kept.glob("*"):
        if old.name != stamp:
            shutil.rmtree(old, ignore_errors=True)
    return str(kept / stamp)


_FOLDER: str = _folder(Path(__file__).parent)
