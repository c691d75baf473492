"""Image files to square uint8 arrays, or the reason why a file cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from hqgan.runtime.threads import workers

Fit = Literal["crop", "squeeze"]
RULES: dict[Fit, str] = {"crop": "centre square, lanczos, 1", "squeeze": "squeezed, bilinear, 1"}
"""How an image becomes a square. Part of every cache key: raise a number whenever the pixels that come out change."""
MAX_PIXELS = 50_000_000
MAX_BYTES = 2**30
# No other decoder is tried, whatever a file claims to be: Pillow's list includes Ghostscript.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")

CHUNK = 64
"""Files handed to the threads at a time: enough to keep them busy, few enough to stop soon after Ctrl-C."""

ORIENTATION_TAG = 0x0112


class Decoded(NamedTuple):
    """One image as it goes into the cache.

    Attributes:
        pixels: (S, S, 3) uint8, or None where the file was unreadable.
        original: width and height in pixels as a viewer shows the file, after its EXIF rotation.
        reason: why it was unreadable; empty where it was not.
    """

    pixels: np.ndarray | None
    original: tuple[int, int] = (0, 0)
    reason: str = ""


def decode(path: Path, size: int, fit: Fit = "crop") -> Decoded:
    """Decode an image, rotate it by EXIF, put transparent parts on white, make it square, and resize it with antialiasing.

    Whatever is wrong with the file is returned as a reason and not raised, since files come from strangers and
    Pillow's decoders raise many kinds of exceptions.

    Args:
        path: an image file in any Pillow mode.
        size: side of the result in pixels.
        fit: ``crop`` takes the centre square; ``squeeze`` resizes the whole image, whatever its shape (arXiv 2506.21015).
    """
    try:
        if path.stat().st_size == 0:
            return Decoded(None, reason="empty file")
        if path.stat().st_size > MAX_BYTES:
            return Decoded(None, reason=f"{path.stat().st_size / 2**30:,.0f} GiB, more than 1")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return Decoded(
                    None, reason=f"{image.width} x {image.height} pixels, more than {MAX_PIXELS // 1_000_000} million"
                )
            width, height = image.size
            # Let the JPEG decoder shrink by a power of two first, never below four times the target's side.
            image.draft(None, (4 * size, 4 * size))
            orientation = _orientation(image)
            pixels = np.asarray(_small(image, size, fit))
        # Turned after cropping and shrinking, where it costs nothing: the square looks the same from every side.
        if orientation >= 5:
            pixels, width, height = pixels.transpose(1, 0, 2), height, width
        if orientation in (3, 4, 7, 8):
            pixels = pixels[::-1]
        if orientation in (2, 3, 6, 7):
            pixels = pixels[:, ::-1]
        return Decoded(np.ascontiguousarray(pixels), (width, height))
    except Image.DecompressionBombError:
        return Decoded(None, reason=f"more than {MAX_PIXELS // 1_000_000} million pixels")
    except Image.UnidentifiedImageError:
        return Decoded(None, reason="not a PNG, JPEG, BMP, TIFF or WebP image")
    except FileNotFoundError:
        return Decoded(None, reason="missing")
    except PermissionError:
        return Decoded(None, reason="permission denied")
    except MemoryError:
        raise
    except Exception as error:
        # Pillow quotes paths in some messages; the reason must not depend on where the data lies.
        text = str(error).replace(str(path), path.name).partition("\n")[0]
        return Decoded(None, reason=f"damaged ({text or type(error).__name__})")


def decode_all(paths: Sequence[Path], size: int, fit: Fit) -> Iterator[Decoded]:
    """`decode` many files by several threads; the images come in the order of `paths`."""
    with ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(paths), CHUNK):
            some = paths[start : start + CHUNK]
            # Pillow warns of odd files on standard error; what matters of it comes back as a reason.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                images = list(pool.map(decode, some, repeat(size), repeat(fit)))
            yield from images


def from_array(pixels: np.ndarray, size: int, fit: Fit = "crop") -> Decoded:
    """Crop (or squeeze) and resize an image that is already an array, (H, W, 3) or (H, W) uint8, as `decode` does."""
    image = Image.fromarray(pixels)
    return Decoded(np.asarray(_small(image, size, fit)), image.size)


def _small(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    if fit == "squeeze":
        return _rgb(image).resize((size, size), Image.Resampling.BILINEAR)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return _rgb(square).resize((size, size), Image.Resampling.LANCZOS)


def _orientation(image: Image.Image) -> int:
    """How EXIF says the pixels lie, 1 to 8: upright (1) also where EXIF is damaged, for the picture is still good."""
    try:
        given = image.getexif().get(ORIENTATION_TAG, 1)
        return given if given in range(1, 9) else 1
    except Exception:
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB; transparency becomes white."""
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips everything above 255 to white.
        wide = np.asarray(image)
        image = Image.fromarray((wide >> 8 if wide.max() > 255 else wide).clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no defined range")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")
