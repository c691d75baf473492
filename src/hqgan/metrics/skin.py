"""Skin tone of generated and real images: the individual typology angle at the border, and what it cannot show.

ITA is ``atan2(L* - 50, b*)`` in degrees of CIELAB (D65): above 55 very light, 41 light, 28 intermediate, 10 tan, -30 brown, dark
below. It is defined for skin under a measured light; dermatoscopes have lights and white balances of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hqgan.types import LabelledImages

BOUNDS = (55.0, 41.0, 28.0, 10.0, -30.0)
GROUPS = ("very light", "light", "intermediate", "tan", "brown", "dark")

BORDER = 1 / 8
"""Width of the border taken for skin, as a share of the image's side."""

WARNING = (
    "Read with care: light, gel, polarisation and white balance of a dermatoscope move the typology angle as much as skin "
    "does, a "
    "lesion that fills the image leaves no skin at its border, and neither ethnicity nor fairness can be read from it. It shows "
    "whether generated images shift the tones that the data have, and nothing about tones that the data lack."
)


def typology_angle(images: np.ndarray) -> np.ndarray:
    """ITA in degrees (N,) of the median colour of each image's border.

    Args:
        images: (N, S, S, 3) uint8 sRGB.

    References:
        Chardon et al., "Skin colour typology and suntanning pathways", 1991; Del Bino & Bernerd, 2013, for the groups.
    """
    size = images.shape[1]
    width = max(1, round(BORDER * size))
    edge = np.ones((size, size), bool)
    edge[width:-width, width:-width] = False
    angles = []
    for part in np.split(images, range(500, len(images), 500)):
        lightness, _, yellow = np.moveaxis(lab(np.median(np.asarray(part)[:, edge], 1)), -1, 0)
        angles.append(np.degrees(np.arctan2(lightness - 50, yellow)))
    return np.concatenate(angles)


def lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB (D65, two degrees) of sRGB colours (..., 3) from 0 to 255."""
    c = np.asarray(colours, np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.array(to_xyz).T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def report(generated: LabelledImages, real: LabelledImages, classes: Sequence[str], seed: int) -> dict[str, Any]:
    """Individual typology angles (ITA) of generated and held-out real images, over all classes and by class.

    Returns:
        ``rows`` of ``{class, generated, real, low, high, n, groups}``: medians in degrees, the 95 % interval of their difference
        by bootstrap over images, shares of `GROUPS` on both sides; and the ``warning`` that belongs to them.
    """
    rng = np.random.default_rng(seed)
    angles = typology_angle(generated.images), typology_angle(real.images)
    rows = []
    for c, name in [(None, None), *enumerate(classes)]:
        places = [slice(None) if c is None else side.labels == c for side in (generated, real)]
        made, held = (values[here] for values, here in zip(angles, places, strict=True))
        if not len(made) or not len(held):
            continue
        draws = [np.median(rng.choice(made, len(made))) - np.median(rng.choice(held, len(held))) for _ in range(500)]
        low, high = np.quantile(draws, [0.025, 0.975])
        shares = [np.bincount(np.digitize(a, BOUNDS), minlength=6)[:6] / len(a) for a in (made, held)]
        groups = {name: [float(x), float(y)] for name, x, y in zip(GROUPS, *shares, strict=True)}
        rows.append({"class": name, "generated": float(np.median(made)), "real": float(np.median(held)), "low": float(low),
                     "high": float(high), "n": [len(made), len(held)], "groups": groups})  # fmt: skip
    return {"rows": rows, "warning": WARNING}


def sentences(found: dict[str, Any]) -> list[str]:
    """The report in a line, and its warning."""
    row = found["rows"][0]
    apart = row["generated"] - row["real"]
    return [
        f"Skin tone: median typology angle {row['generated']:.0f} degrees against {row['real']:.0f} in real images, a "
        f"difference of {apart:+.0f} (95 %: [{row['low']:+.0f}, {row['high']:+.0f}]). {found['warning']}"
    ]
