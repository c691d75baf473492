"""Random numbers for the images of a batch, a function of their places in the whole of it.

Whoever holds a share of a batch draws for all of it and keeps its rows, so that the number of processes changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from hqgan.runtime.processes import ALL, Shard


class RandomStream:
    """Random numbers for the rows of a batch that this process holds, drawn on the CPU: every device sees the same.

    Attributes:
        source: for what belongs to no image.
    """

    def __init__(self, source: torch.Generator, share: Shard = ALL) -> None:
        self.source, self.share = source, share

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
        return self.share.rows(draw((shape[0] * self.share.world, *shape[1:])))
