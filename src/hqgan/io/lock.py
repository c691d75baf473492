"""One process at a time writes to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hqgan.errors import UserError

LOCK = ".lock"
"""The locked file. It stays, empty; the system unlocks it when its process ends, also when it is killed."""


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
