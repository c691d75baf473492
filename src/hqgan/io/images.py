"""Images as arrays: one function for each conversion, grids, and writing PNG.

Inside the models an image is float32 (B, 3, H, W) in [-1, 1]; on disk and in metrics it is uint8 (B, H, W, 3). A
generated image is never rescaled by its own minimum and maximum.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hqgan.io.files import replacing

if TYPE_CHECKING:
    import torch


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """Model images (B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3); values outside are clipped."""
    scaled = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_float(images: np.ndarray) -> torch.Tensor:
    """Images uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def grid(images: np.ndarray, columns: int, *, pad: int = 2, background: int = 255) -> np.ndarray:
    """Lay uint8 images (N, H, W, 3) out row by row, `columns` to a row, as one picture (uint8)."""
    n, height, width, _ = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + pad) + pad, columns * (width + pad) + pad, 3), background, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + pad) + pad, (i % columns) * (width + pad) + pad
        sheet[top : top + height, left : left + width] = image
    return sheet


def labelled_rows(rows: Sequence[tuple[str, np.ndarray]], *, scale: int = 1, title: str = "") -> np.ndarray:
    """One row of images a class, its name at the left: the project's sample grid.

    Args:
        rows: pairs of a name and uint8 images (N, H, W, 3).
        scale: whole-number enlargement, nearest neighbour, so that a pixel stays a pixel.
        title: one line above the rows; empty for none.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(13)
    strips = [grid(images.repeat(scale, 1).repeat(scale, 2), len(images)) for _, images in rows]
    gutter = 14 + max(int(font.getlength(name)) for name, _ in rows)
    top = 24 if title else 0
    width, height = gutter + max(s.shape[1] for s in strips), top + sum(s.shape[0] for s in strips)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((8, 5), title, fill=(60, 60, 60), font=font)
    y = top
    for (name, _), strip in zip(rows, strips, strict=True):
        draw.text((8, y + strip.shape[0] // 2 - 8), name, fill=(30, 30, 30), font=font)
        sheet.paste(Image.fromarray(strip), (gutter, y))
        y += strip.shape[0]
    return np.asarray(sheet)


def read_png(path: Path) -> np.ndarray:
    """The uint8 pixels (H, W, 3) of an image that `write_png` wrote."""
    from PIL import Image

    with Image.open(path, formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"))


def is_whole_png(path: Path) -> bool:
    """Whether a file is there and ends as a PNG ends."""
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            return file.read() == b"IEND\xaeB`\x82"
    except OSError:
        return False


def png(image: np.ndarray) -> bytes:
    """One uint8 image (H, W, 3) as PNG; equal pixels give equal bytes."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG", optimize=False, compress_level=6)
    return stream.getvalue()


def write_png(path: Path, image: np.ndarray) -> None:
    """Write one uint8 image (H, W, 3) as PNG, atomically; equal pixels give equal bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(png(image))
