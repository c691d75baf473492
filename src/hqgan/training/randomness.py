"""Every random draw of training is a pure function of (seed, stream, step), so that a resumed run draws the same."""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, name: str, step: int) -> torch.Generator:
    """A CPU generator for one use at one step. Draw on the CPU and move: every device then sees the same numbers."""
    key = hashlib.sha256(f"{seed}/{name}/{step}".encode()).digest()
    generator = torch.Generator()
    generator.manual_seed(int.from_bytes(key[:8], "little") >> 1)
    return generator
