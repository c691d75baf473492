"""Procedural dermatoscopic images: seven kinds of lesion on every tone of skin, computed from random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np
from PIL import Image, ImageFilter

from hqgan.data.decode import Decoded
from hqgan.data.index import DatasetIndex
from hqgan.data.synthetic.lesions import LESIONS
from hqgan.data.synthetic.painting import Canvas, along, arc, cells, cover, noise, step
from hqgan.errors import UserError

# Part of the cache key: raise it whenever a picture changes.
VERSION = 2
DEFAULT_COUNT = 1400
# Three lesions a class, so that every class is on every side of a split.
SMALLEST = 6
LICENCE = "procedural, no patients; Apache-2.0"


def count_of(path: str) -> int | None:
    """How many images ``demo`` or ``demo:COUNT`` asks for; None for any other path."""
    name, colon, count = path.partition(":")
    if name != "demo":
        return None
    least, most = len(LESIONS) * SMALLEST, 10_000_000
    if colon and not (count.isascii() and count.isdigit() and len(count) < 9 and least <= int(count) <= most):
        raise UserError(f"{path!r} asks for no valid number of images: write demo:COUNT with {least} to {most:,}.")
    return int(count) if colon else DEFAULT_COUNT


def index(count: int, seed: int) -> DatasetIndex:
    """`count` images with a few views of each lesion, in classes of very different sizes; their names are made on demand."""
    kinds = tuple(LESIONS)
    kind, lesion, view = _plan(count, seed)

    return DatasetIndex(
        name="demo",
        classes=kinds,
        files=_Column(count, lambda i: f"{kinds[kind[i]]}/{lesion[i]:05d}-{'abc'[view[i]]}.png"),
        labels=_Column(count, lambda i: kinds[kind[i]]),
        groups=_Column(count, lambda i: f"{kinds[kind[i]]}-{lesion[i]:05d}"),
        licence=LICENCE,
        total=count,
        recipe=("demo", VERSION, count, seed),
        read=lambda files, size, fit: (Decoded(paint_file(file, seed, size), (size, size)) for file in files),
    )


def paint_file(file: str, seed: int, size: int) -> np.ndarray:
    """The picture with a name of `index`, (size, size, 3) uint8."""
    kind, _, name = file.partition("/")
    lesion, _, view = name.removesuffix(".png").partition("-")
    return paint(kind, seed, int(lesion), "abc".index(view), size)


def paint(kind: str, seed: int, lesion: int, view: int, size: int) -> np.ndarray:
    """One view of one lesion, (size, size, 3) uint8; a pure function of its arguments.

    Args:
        kind: a class of `LESIONS`.
        seed: of the data set.
        lesion: number within the class; it fixes shape, colours and skin.
        view: number within the lesion; it fixes angle, distance, light, hair and focus.
        size: side in pixels.
    """
    number = list(LESIONS).index(kind)
    of_lesion = np.random.Generator(np.random.PCG64([seed, number, lesion]))
    of_view = np.random.Generator(np.random.PCG64([seed, number, lesion, 1 + view]))
    canvas = _look(of_view, 2 * size)
    tone = _skin(canvas, of_lesion)
    LESIONS[kind][0](canvas, of_lesion)
    picture = canvas.develop()
    _hair(picture, canvas, of_view, tone)
    return _expose(picture, of_view, size)


class _Column(Sequence[str]):
    """A sequence of texts, each computed from its number when it is asked for."""

    def __init__(self, count: int, text: Callable[[int], str]) -> None:
        self._count, self._text = count, text

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i: int | slice) -> str | list[str]:
        if isinstance(i, slice):
            return [self._text(k) for k in range(self._count)[i]]
        return self._text(range(self._count)[i])


def _plan(count: int, seed: int) -> Iterator[np.ndarray]:
    """Class, lesion and view of each image, (N,) each; six bytes per image, since there may be millions.

    One to three views of each lesion, until each class has its share of the images.
    """
    shares = np.array([share for _, share in LESIONS.values()])
    counts = np.maximum(np.round(shares / shares.sum() * count).astype(int), SMALLEST)
    counts[counts.argmax()] += count - counts.sum()
    parts = []
    for number, images in enumerate(counts.tolist()):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        views = rng.choice(3, images, p=(0.6, 0.28, 0.12)) + 1
        # Small classes have lesions with few views, since the split needs three lesions at least.
        taken = int(np.searchsorted(np.cumsum(views), images - 3 * 3))
        left = images - int(views[:taken].sum())
        while left > 0:
            views[taken] = min(left, views[taken], max(1, left // 3))
            taken, left = taken + 1, left - int(views[taken])
        views = views[:taken]
        lesion = np.repeat(np.arange(taken, dtype=np.int32), views)
        first = np.repeat(np.cumsum(views) - views, views)
        parts.append((np.full(images, number, np.uint8), lesion, (np.arange(images) - first).astype(np.uint8)))
    return map(np.concatenate, zip(*parts, strict=True))


def _look(rng: np.random.Generator, side: int) -> Canvas:
    """An empty canvas, the lesion turned, mirrored, shifted and zoomed."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    turn, zoom, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0.88, 1.1), rng.normal(0, 0.06, 2)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * zoom
    turned[0] *= rng.choice((-1, 1))
    back = np.linalg.inv(turned).astype(np.float32)
    u = back[0, 0] * (x - np.float32(shift[0])) + back[0, 1] * (y - np.float32(shift[1]))
    v = back[1, 0] * (x - np.float32(shift[0])) + back[1, 1] * (y - np.float32(shift[1]))
    view = np.concatenate([turned * side / 2, ((shift + 1) * side / 2)[:, None]], axis=1)
    return Canvas(u, v, np.zeros_like(u), np.zeros_like(u), view)


def _skin(c: Canvas, rng: np.random.Generator) -> float:
    """Paint skin and return its tone, independent of the lesion: mostly light, as in public data sets, a quarter brown."""
    tone = rng.uniform(0.01, 0.16) if rng.random() < 0.75 else rng.uniform(0.16, 0.62)
    lines = np.abs(noise(c.u, c.v, rng, 7.0, 2))
    mottle = noise(c.u, c.v, rng, 2.0, 4)
    c.melanin += tone * (1 + 0.12 * mottle) + (0.015 + 0.06 * tone) * step(0.3, 0.0, lines)
    c.blood += rng.uniform(0.05, 0.28) + 0.06 * noise(c.u, c.v, rng, 2.5, 4)
    if rng.random() < 0.3:
        # Sun has left freckles.
        near, _, number = cells(c.u, c.v, rng, 3.2)
        c.melanin += rng.uniform(0.04, 0.12) * step(0.4, 0.1, near + 0.3 * number)
    return tone


def _hair(picture: np.ndarray, c: Canvas, rng: np.random.Generator, tone: float) -> None:
    """A few hairs across a third of the pictures, mostly along one direction."""
    if rng.random() > 0.34:
        return
    heading = rng.uniform(0, 2 * np.pi)
    strokes = []
    for _ in range(rng.integers(2, 9)):
        angle = heading + rng.normal(0, 0.3)
        start = rng.uniform(-1, 1, 2) - 0.6 * np.array([np.cos(angle), np.sin(angle)])
        strokes.append((arc(rng, start, angle, rng.uniform(0.8, 1.8), rng.normal(0, 0.5)), rng.uniform(0.016, 0.028)))
    dark = tone > 0.2 or rng.random() < 0.7
    cover(picture, 0.8 * c.strokes(strokes), (0.16, 0.11, 0.09) if dark else (0.48, 0.33, 0.20))


def _expose(picture: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """Light, gel, lens and sensor; then down to the final size, antialiased."""
    side = picture.shape[-1]
    axis = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1)[None]
    x, y = np.broadcast_to(axis, (side, side)), np.broadcast_to(axis.T, (side, side))
    light = 1 + rng.uniform(0, 0.10) * along(x, y, rng.uniform(0, 2 * np.pi))
    light = light - rng.uniform(0.02, 0.15) * (x * x + y * y)
    # Lamps and white balances differ from clinic to clinic: warmer or colder, pinker or greener.
    warm, pink, exposure = rng.normal(0, 0.035), rng.normal(0, 0.02), rng.normal(1.03, 0.05)
    for plane, gain in zip(picture, (1 + warm + pink / 2, 1 - pink, 1 - warm + pink), strict=True):
        plane *= light * (exposure * gain)
    # A shoulder instead of a hard edge, as film and sensors have it.
    picture = np.where(picture > 0.8, 0.8 + 0.2 * np.tanh((picture - 0.8) / 0.2), picture)
    if rng.random() < 0.2:
        for _ in range(rng.integers(1, 4)):
            at, radius = rng.uniform(-0.95, 0.95, 2).tolist(), rng.uniform(0.04, 0.10)
            away = np.hypot(x - at[0], y - at[1]) / radius
            ring = np.exp(-(((away - 1) / 0.22) ** 2)) * (0.6 + 0.4 * (x - at[0] + y - at[1]) / radius)
            picture += 0.16 * ring + 0.04 * (away < 1)
    image = Image.fromarray((picture.transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(side / 128 * rng.uniform(0.3, 0.9)))
    small = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS), np.float32)
    return (small + rng.normal(0, 1.2, small.shape)).round().clip(0, 255).astype(np.uint8)
