"""Brushes of the procedural lesions: noise, cells, networks and strokes as float32 arrays (H, W).

Coordinates are in lesion space: the origin is its centre, 1 is half the picture's side. Everything is a function of
the coordinates, so one lesion can be seen turned, shifted, nearer, and at any resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

# Random tables repeat after so many cells: far more than a picture shows.
PERIOD = 32
# Strokes are drawn so many times larger and averaged down, for soft hairlines.
STROKE_SCALE = 3

# Light that comes back from skin without pigment, and how much of red, green and blue pigments swallow. Colours made
# by absorption stay natural where they overlap, on light skin and on dark.
DERMIS = (0.97, 0.885, 0.845)
MELANIN = (0.85, 1.45, 2.0)
BLOOD = (0.14, 0.98, 0.80)

Colour = tuple[float, float, float]

Stroke = tuple[np.ndarray, float]
"""Points (P, 2) in lesion space, and a width in the same unit."""


@dataclass
class Canvas:
    """A picture in the making.

    Attributes:
        u, v: lesion coordinates of each pixel, (H, W).
        melanin, blood: optical densities, (H, W).
        tints: (opacity (H, W), colour (3,)) laid over what the pigments give, in order.
        view: (2, 3) affine map from lesion space to pixels.
    """

    u: np.ndarray
    v: np.ndarray
    melanin: np.ndarray
    blood: np.ndarray
    view: np.ndarray
    tints: list[tuple[np.ndarray, Colour]] = field(default_factory=list)

    def tint(self, opacity: np.ndarray, colour: Colour) -> None:
        """Lay a colour (sRGB, 0 to 1) over what the pigments give."""
        self.tints.append((opacity, colour))

    def strokes(self, strokes: Sequence[Stroke]) -> np.ndarray:
        """Coverage (H, W) in [0, 1] of lines with round joints, drawn through the view."""
        height, width = self.u.shape
        sheet = Image.new("L", (width * STROKE_SCALE, height * STROKE_SCALE), 0)
        draw = ImageDraw.Draw(sheet)
        pixels_a_unit = float(np.sqrt(abs(np.linalg.det(self.view[:, :2])))) * STROKE_SCALE
        for points, thickness in strokes:
            placed = ((points @ self.view[:, :2].T + self.view[:, 2]) * STROKE_SCALE).flatten().tolist()
            draw.line(placed, fill=255, width=max(1, round(thickness * pixels_a_unit)), joint="curve")
        return np.asarray(sheet.reduce(STROKE_SCALE), np.float32) / 255

    def develop(self) -> np.ndarray:
        """The picture so far, (3, H, W) float32 in [0, 1]."""
        melanin, blood = np.maximum(self.melanin, 0), np.maximum(self.blood, 0)
        picture = np.stack(
            [d * np.exp(melanin * -m - blood * b) for d, m, b in zip(DERMIS, MELANIN, BLOOD, strict=True)]
        )
        for opacity, colour in self.tints:
            cover(picture, opacity, colour)
        return picture


def cover(picture: np.ndarray, opacity: np.ndarray, colour: Colour) -> None:
    """Lay a colour over a picture (3, H, W), in place."""
    opacity = opacity.clip(0, 1)
    for plane, value in zip(picture, colour, strict=True):
        plane += opacity * (value - plane)


def along(u: np.ndarray, v: np.ndarray, angle: float) -> np.ndarray:
    """The coordinate in the direction `angle`, in radians."""
    # numpy's own scalars would widen the arrays to float64.
    return u * float(np.cos(angle)) + v * float(np.sin(angle))


def step(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between; falls instead of rising where `high` is the smaller."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def noise(u: np.ndarray, v: np.ndarray, rng: np.random.Generator, frequency: float, octaves: int = 1) -> np.ndarray:
    """Smooth value noise in about [-1, 1]; `frequency` is in bumps a unit, octaves get finer and lower."""
    total = np.zeros_like(u)
    for octave in range(octaves):
        total += _bumps(u, v, rng, frequency * 2**octave) * np.float32(0.5**octave)
    return total / np.float32((2 - 0.5 ** (octaves - 1)) ** 0.5)


def _bumps(u: np.ndarray, v: np.ndarray, rng: np.random.Generator, frequency: float) -> np.ndarray:
    table = rng.uniform(-1, 1, PERIOD * PERIOD).astype(np.float32)
    height, width = u.shape
    # Wide bumps need no value at every pixel: some three a bump, then smooth enlargement.
    stride = next((n for n in (8, 4, 2) if n * frequency * 5.3 <= width), 1)
    x, y = (axis[stride // 2 :: stride, stride // 2 :: stride] * np.float32(frequency) + PERIOD for axis in (u, v))
    i, j = x.astype(np.int32), y.astype(np.int32)
    x, y = (x - i).astype(np.float32), (y - j).astype(np.float32)
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    row, below = (i & (PERIOD - 1)) * PERIOD, ((i + 1) & (PERIOD - 1)) * PERIOD
    column, right = j & (PERIOD - 1), (j + 1) & (PERIOD - 1)
    top, bottom = table.take(row + column), table.take(below + column)
    top += (table.take(row + right) - top) * y
    bottom += (table.take(below + right) - bottom) * y
    values = top + (bottom - top) * x
    if stride == 1:
        return values
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))


def cells(
    u: np.ndarray, v: np.ndarray, rng: np.random.Generator, frequency: float, jitter: float = 0.8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scattered points, `frequency` a unit, each with a cell around it.

    Returns:
        distances to the nearest and to the next point, in cells, and the nearest's own number in [0, 1); (H, W) each.
    """
    tables = rng.uniform(0, 1, (3, PERIOD, PERIOD)).astype(np.float32)
    tables[:2] = 0.5 + jitter * (tables[:2] - 0.5)
    # One more cell on every side, so that a neighbour is a fixed offset in the flat table.
    across, down, number = np.pad(tables, ((0, 0), (1, 1), (1, 1)), mode="wrap").reshape(3, -1)
    x, y = u * np.float32(frequency) + PERIOD, v * np.float32(frequency) + PERIOD
    i, j = x.astype(np.int32), y.astype(np.int32)
    x, y = (x - i).astype(np.float32), (y - j).astype(np.float32)
    home = ((i & (PERIOD - 1)) + 1) * (PERIOD + 2) + (j & (PERIOD - 1)) + 1
    nearest, second, who = np.full_like(u, 9), np.full_like(u, 9), home
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            cell = home + (di * (PERIOD + 2) + dj)
            squared = (across.take(cell) + (di - x)) ** 2 + (down.take(cell) + (dj - y)) ** 2
            who = np.where(squared < nearest, cell, who)
            second = np.minimum(second, np.maximum(nearest, squared))
            nearest = np.minimum(nearest, squared)
    return np.sqrt(nearest), np.sqrt(second), number.take(who)


def network(u: np.ndarray, v: np.ndarray, rng: np.random.Generator, frequency: float, wobble: float) -> np.ndarray:
    """A honeycomb of lines in [0, 1], as melanin along the rete ridges makes it: `frequency` meshes a unit."""
    u = u + wobble * noise(u, v, rng, 2.5, 2)
    v = v + wobble * noise(u, v, rng, 2.5, 2)
    turn, total = rng.uniform(0, np.pi), np.zeros_like(u)
    for angle in turn + np.pi / 3 * np.arange(3):
        total += np.cos(along(u, v, angle) * np.float32(2 * np.pi * frequency))
    return step(0.4, -1.2, total)


def outline(
    u: np.ndarray, v: np.ndarray, rng: np.random.Generator, radius: float, irregular: float, rough: float = 0.0
) -> np.ndarray:
    """Distance from the lesion's centre in units of its border, (H, W): 1 on the border.

    Args:
        u: lesion coordinate.
        v: the other one.
        rng: draws the shape.
        radius: mean radius in lesion space.
        irregular: height of the border's waves, 0 for an ellipse; 0.1 is benign, 0.3 is not.
        rough: height of the small notches.
    """
    stretch = rng.uniform(1.0, 1.25)
    around, away = np.arctan2(v, u), np.hypot(u * stretch, v / stretch) / np.float32(radius)
    border = np.ones_like(u)
    for k in (2, 3, 4, 5, 7):
        border += irregular / (k - 1) ** 0.7 * float(rng.normal()) * np.cos(k * around + rng.uniform(0, 2 * np.pi))
    distance = away / border.clip(0.45, 1.7)
    return (distance + rough * noise(u, v, rng, 5.0, 2) * away.clip(0, 1)).astype(np.float32)


def tree(
    rng: np.random.Generator, start: np.ndarray, heading: float, width: float, length: float, forks: int = 4
) -> list[Stroke]:
    """A branching vessel as strokes, thinner with every fork."""
    steps = 7
    headings = heading + np.cumsum(rng.normal(0, 0.28, steps))
    path = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1) * length / steps, 0)
    points = np.concatenate([start[None], start + path])
    strokes = [(points, width)]
    if forks > 0:
        for side in (-1, 1):
            if forks > 1 or rng.random() < 0.8:
                origin = points[-1] if rng.random() < 0.6 else points[rng.integers(3, steps)]
                turn = side * rng.uniform(0.35, 0.9)
                strokes += tree(
                    rng, origin, headings[-1] + turn, width * 0.72, length * rng.uniform(0.6, 0.9), forks - 1
                )
    return strokes


def arc(rng: np.random.Generator, start: np.ndarray, heading: float, length: float, bend: float) -> np.ndarray:
    """Points (P, 2) of a gently bent line."""
    steps = 14
    headings = heading + np.linspace(0, bend, steps) + np.cumsum(rng.normal(0, 0.02, steps))
    return start + np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1) * length / steps, 0)
