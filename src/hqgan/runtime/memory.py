"""How much memory there is, and work that would need more."""

from __future__ import annotations

import os
from pathlib import Path

from hqgan.errors import UserError


def available() -> int:
    """Bytes that this process may still take: what the machine has free, within the limit of its container.

    Where the system does not tell what is free, all of its memory; where it does not tell that, 4 GiB.
    """
    found = []
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    most, taken = (_lines(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if most and taken and most[0].isdecimal():
        found.append(max(int(most[0]) - int(taken[0]), 0))
    if not found and hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=4 * 2**30)


def check_room(images: int, bytes_each: int) -> None:
    """Refuse more images than there is memory for, before any is taken.

    Raises:
        UserError: they would take more than half of what is available.
    """
    room = available() // 2
    if images * bytes_each > room:
        raise UserError(
            f"{images:,} images need about {images * bytes_each / 1e9:,.1f} GB of memory, and there is room for "
            f"{room / 1e9:,.1f} GB: ask for at most {room // bytes_each:,} at a time."
        )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
