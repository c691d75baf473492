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
    return _kept(numba.njit(nogil=True, cache=True), function)


def by_address(arguments: list[Any], function: Any) -> Any:
    """Compile a function of arguments of these types once, to be called by its address.

    A compiled function that calls another one by name gets a copy of it, so what is large would be compiled again and again.
    """
    return _kept(numba.cfunc(numba.void(*arguments), cache=True), function)


def _kept(decorator: Any, function: Any) -> Any:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = before or _FOLDER
    try:
        return decorator(function)
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
