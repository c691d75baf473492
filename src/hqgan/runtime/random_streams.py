"""Random numbers of training: each is a pure function of (seed, use, step) and of an image's place in the batch.

So a resumed run draws the same numbers, and so does any number of processes: a process that holds a shard of a batch draws for
the whole batch and keeps its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch

from hqgan.runtime.processes import ALL, Shard


class RandomStream:
    """Random numbers for the rows of a batch that this process holds, drawn on the CPU: every device sees the same.

    Attributes:
        source: torch generator, for numbers that belong to no image.
    """

    def __init__(self, source: torch.Generator, shard: Shard = ALL) -> None:
        self.source, self.shard = source, shard

    def uniform(self, *shape: int) -> torch.Tensor:
        """In [0, 1), one row an image."""
        return self._rows(lambda whole: torch.rand(whole, generator=self.source), shape)

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal, one row an image."""
        return self._rows(lambda whole: torch.randn(whole, generator=self.source), shape)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Whole numbers in [low, high), one row an image."""
        return self._rows(lambda whole: torch.randint(low, high, whole, generator=self.source), shape)

    def _rows(self, draw: Callable[[tuple[int, ...]], torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
        return self.shard.rows(draw((shape[0] * self.shard.world, *shape[1:])))


def stream(seed: int, name: str, step: int, shard: Shard = ALL) -> RandomStream:
    """The random numbers of one use at one step."""
    return RandomStream(torch.Generator().manual_seed(_key(seed, name, step)), shard)


def seed_modules(seed: int, step: int) -> None:
    """Set torch's global random state, from which modules draw, from the step alone: what was drawn before does not matter."""
    torch.manual_seed(_key(seed, "modules", step))


def _key(seed: int, name: str, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{step}".encode()).digest()[:8], "little") >> 1
