"""Work on the simulator's chunks, shared among the CPU's threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def shared(work: Callable[[Sequence[int]], T], count: int, device: torch.device) -> list[T]:
    """Run `work` on contiguous shares of `count` chunks, one share a CPU thread; results in order.

    A product of 16x16 matrices is too small to be split: two threads on one are slower than one alone.
    """
    threads = torch.get_num_threads()
    parts = min(threads, count)
    chunks = [range(i * count // parts, (i + 1) * count // parts) for i in range(parts)]
    if device.type != "cpu" or len(chunks) < 2:
        return [work(range(count))]

    def alone(share: Sequence[int]) -> T:
        # Whether gradients are recorded is a property of the thread.
        with torch.no_grad():
            return work(share)

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(len(chunks), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(alone, chunks))
    finally:
        torch.set_num_threads(threads)
