"""Image files to square uint8 arrays, or the reason why a file cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, features

from hqgan.runtime.threads import workers

Fit = Literal["crop", "squeeze"]
RULES: dict[Fit, str] = {"crop": "centre square, lanczos, 2", "squeeze": "squeezed, bilinear, 2"}
"""How an image becomes a square. Part of every cache key: raise a number whenever the pixels that come out change."""
MAX_PIXELS = 50_000_000
MAX_BYTES = 2**30
LEAST_MAXIMUM = 1 << 14
"""An image of 16 bits whose brightest value lies below is of 10, 12 or 14 bits, and nothing in it says of how many."""

_ENDINGS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k"),
}
_PILLOW = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}
"""Formats that some builds of Pillow lack, and Pillow's names of what reads them."""

# No other decoder is tried, whatever a file claims to be: Pillow's list includes Ghostscript.
FORMATS = tuple(name for name in _ENDINGS if name not in _PILLOW or _PILLOW[name] in features.get_supported())
ENDINGS = frozenset(ending for name in FORMATS for ending in _ENDINGS[name])
"""Endings of the names of images that this Pillow reads without more."""

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
            wide = _is_wide(image)  # known until the pixels are read
            # Let the JPEG decoder shrink by a power of two first, never below four times the target's side.
            image.draft(None, (4 * size, 4 * size))
            orientation = _orientation(image)
            if wide and 0 < (brightest := _brightest(image)) < LEAST_MAXIMUM:
                return Decoded(
                    None,
                    reason=f"16 bits, but values up to {brightest:,} only: white is not known, save it with 8 bits",
                )
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
        return Decoded(None, reason=f"not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image")
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


def _is_wide(image: Image.Image) -> bool:
    """Whether a file has 16 bits for each value: Pillow keeps them of grey images, and the upper 8 of those in colour."""
    return image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _brightest(image: Image.Image) -> int:
    """The largest value of a 16-bit image, without its transparency; in colour, the largest that it may have."""
    if image.mode.startswith("I"):
        return int(np.asarray(image).max())
    return int(np.asarray(image.convert("RGB")).max()) << 8 | 255


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB; transparency becomes white."""
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips everything above 255 to white.
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise ValueError("pixels of 32 bits have no defined range")
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no defined range")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")
