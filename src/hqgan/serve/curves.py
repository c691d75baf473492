"""Training curves of a run from its metrics.jsonl; the run may still be in training."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hqgan.report.blocks import Picture
from hqgan.report.run_sections import curves as drawn
from hqgan.run.log import read_lines


def curves(folder: Path) -> tuple[int, list[Picture]]:
    """Images shown so far, and charts of distances and losses. They are redrawn only when the file has changed.

    An incomplete last line is ignored.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return 0, []
    about = path.stat()
    return _curves(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=8)
def _curves(path: Path, size: int, changed: int) -> tuple[int, list[Picture]]:
    lines = read_lines(path)
    return (lines[-1]["images"] if lines else 0), drawn(lines)
