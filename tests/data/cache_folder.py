"""What a cache of decoded images holds on disk."""

from __future__ import annotations

from pathlib import Path


def entries(cache: Path) -> list[Path]:
    """What anybody can open."""
    return sorted(path for path in (cache / "images").iterdir() if not path.name.startswith("."))


def leftovers(cache: Path) -> list[Path]:
    return sorted((cache / "images").glob(".*"))
