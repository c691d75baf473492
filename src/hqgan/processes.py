"""The processes that torchrun has started for one piece of work: which of them this is, and its share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeVar

Rows = TypeVar("Rows")


@dataclass(frozen=True)
class Share:
    """Rows rank, rank + world, ... of what `world` processes do together.

    Not a run of neighbours: so the first half of everyone's rows is the first half of the whole, and what works on groups of
    images sees the same groups.
    """

    rank: int = 0
    world: int = 1

    def rows(self, whole: Rows) -> Rows:
        """Those rows of an array, tensor or list."""
        return whole[self.rank :: self.world]  # type: ignore[index]


WHOLE = Share()


def own_share() -> Share:
    """What torchrun's environment variables make of this process; the whole where there are none."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    return Share(int(os.environ["RANK"]), world) if world > 1 else WHOLE


def restarted() -> bool:
    """Whether torchrun has started the processes again after one of them ended badly (``--max-restarts``)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
