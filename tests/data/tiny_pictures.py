"""Tiny pictures for the tests of `hqgan.data`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 24, height: int = 20) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def write(path: Path, seed: int = 0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)
    return path


ISIC = [("ISIC_0000000", "NV", "L1"), ("ISIC_0000001_downsampled", "NV", "L1"), ("ISIC_0000002", "MEL", ""),
          ("ISIC_0000003", "NV", "L1"), ("ISIC_0000004", "SCC", "L2"), ("ISIC_0000005", "MEL", "L3")]  # fmt: skip
"""Images, classes and lesions of a tiny ISIC 2019."""
