"""Every random draw of training is a pure function of (seed, stream, step), so that a resumed run draws the same."""

from __future__ import annotations

import hashlib

import torch

from hqgan.runtime.processes import ALL, Shard
from hqgan.runtime.random_streams import RandomStream


def stream(seed: int, name: str, step: int, share: Shard = ALL) -> RandomStream:
    """The draws of one use at one step."""
    return RandomStream(torch.Generator().manual_seed(_key(seed, name, step)), share)


def seed_modules(seed: int, step: int) -> None:
    """Set torch's global state, from which modules draw, by the step alone, whatever was drawn before or found in a cache."""
    torch.manual_seed(_key(seed, "modules", step))


def _key(seed: int, name: str, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{step}".encode()).digest()[:8], "little") >> 1
