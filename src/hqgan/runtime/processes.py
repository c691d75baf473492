"""The processes that torchrun has started for one piece of work: which of them this is, and its shard of the work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hqgan.errors import UserError

Rows = TypeVar("Rows")

LAUNCH = ".launch"
"""File in a folder that names the launch which is at work there."""


@dataclass(frozen=True)
class Shard:
    """Rows rank, rank + world, ... of what `world` processes do together.

    Not a run of neighbours: so the first half of everyone's rows is the first half of the whole, and what works on groups of
    images sees the same groups.
    """

    rank: int = 0
    world: int = 1

    def rows(self, whole: Rows) -> Rows:
        """Those rows of an array, tensor or list."""
        return whole[self.rank :: self.world]  # type: ignore[index]


ALL = Shard()


def current_shard() -> Shard:
    """What torchrun's environment variables make of this process; the whole where they are not all there.

    Schedulers set some of them for purposes of their own.
    """
    numbers = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")]
    if not all(number.isdecimal() for number in numbers) or int(numbers[1]) < 2:
        return ALL
    return Shard(int(numbers[0]), int(numbers[1]))


def launch() -> str:
    """What torchrun calls this launch, all its attempts together; empty without torchrun."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "")


def was_restarted() -> bool:
    """Whether torchrun had to start this launch's processes again (``--max-restarts``)."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def is_same_launch(folder: Path) -> bool:
    """Whether this launch was at work in a folder when its processes had to be started again."""
    mark = folder / LAUNCH
    return was_restarted() and mark.exists() and mark.read_text() == launch()


def only_process(command: str) -> None:
    """Refuse to run a command in several processes: each of them would do all the work, and they would overwrite each other.

    Raises:
        UserError: torchrun has started several processes.
    """
    if current_shard().world > 1:
        raise UserError(f"hqgan {command} does not share its work among processes: start it without torchrun.")
