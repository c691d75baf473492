"""The simulator's chunks of work, divided among the CPU's threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

T = TypeVar("T")


def in_threads(work: Callable[[Sequence[int]], T], count: int, device: torch.device) -> list[T]:
    """Run `work` on `count` chunks, a contiguous block of them on each CPU thread; results in order.

    A product of 16x16 matrices is too small to be split: two threads on one are slower than one alone.
    """
    threads = torch.get_num_threads()
    parts = min(threads, count)
    blocks = [range(i * count // parts, (i + 1) * count // parts) for i in range(parts)]
    if device.type != "cpu" or len(blocks) < 2:
        return [work(range(count))]

    def alone(block: Sequence[int]) -> T:
        # Whether gradients are recorded is a property of the thread.
        with torch.no_grad():
            return work(block)

    torch.set_num_threads(1)
    try:
        others = [_pool(parts - 1).submit(alone, block) for block in blocks[1:]]
        return [alone(blocks[0]), *(other.result() for other in others)]
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that wait between calls: a new one would start on its parent's core and stay there for some milliseconds."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


os.register_at_fork(after_in_child=_pool.cache_clear)
