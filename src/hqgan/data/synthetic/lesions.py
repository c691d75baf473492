"""The seven procedural lesions, painted after what a dermatoscope shows of the real ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hqgan.data.synthetic.painting import Canvas, along, arc, cells, network, noise, outline, step, tree

Painter = Callable[[Canvas, np.random.Generator], None]
# Keratin seen from above: yellow, tan, grey.
WAX = ((0.76, 0.61, 0.36), (0.70, 0.52, 0.34), (0.60, 0.55, 0.50))


def nevus(c: Canvas, rng: np.random.Generator) -> None:
    """Round, even, brown: a fine network that fades outward, or globules, or neither."""
    d = outline(c.u, c.v, rng, rng.uniform(0.38, 0.66), 0.05, 0.10)
    soft = rng.uniform(0.12, 0.3)
    body = step(1 + soft, 1 - 1.2 * soft, d)
    shade = body * (0.85 + 0.22 * noise(c.u, c.v, rng, 3.0, 3)) + rng.uniform(0, 0.5) * step(0.85, 0.1, d)
    kind = rng.choice(3, p=(0.5, 0.25, 0.25))
    if kind == 0:
        mesh = network(c.u, c.v, rng, rng.uniform(6.2, 8.0), 0.09) * (0.8 + 0.5 * noise(c.u, c.v, rng, 2.5))
        shade = shade * 0.72 + 0.75 * mesh * step(1.22, 0.6, d)
    elif kind == 1:
        near, _, number = cells(c.u, c.v, rng, rng.uniform(8.0, 10.0), 0.8)
        shade = shade * 0.85 + 0.75 * step(0.5, 0.2, near + 0.25 * number) * step(1.08, 0.8, d)
    c.melanin += rng.uniform(0.4, 0.95) * shade
    c.blood += rng.uniform(0.05, 0.3) * body


def melanoma(c: Canvas, rng: np.random.Generator) -> None:
    """Ragged and lopsided, several colours at once: black blotches, blue-white veil, red, broken network, streaks."""
    d = outline(c.u, c.v, rng, rng.uniform(0.54, 0.76), 0.17, 0.24)
    body = step(1.12, 0.84, d)
    # Everything leans to one side: asymmetry is the first sign.
    side = 1.4 * along(c.u, c.v, rng.uniform(0, 2 * np.pi))
    shade = body * (0.75 + 0.45 * noise(c.u, c.v, rng, 3.0, 3) + 0.35 * side)
    mesh = network(c.u, c.v, rng, rng.uniform(4.2, 5.4), 0.16)
    shade += 0.7 * mesh * step(1.2, 0.8, d) * step(-0.4, 0.5, noise(c.u, c.v, rng, 2.0))
    black = step(0.0, 0.55, noise(c.u, c.v, rng, 3.0, 3) + 0.45 * side) * step(1.04, 0.8, d)
    near, _, number = cells(c.u, c.v, rng, 9.0)
    dots = step(0.42, 0.12, near) * step(0.75, 0.85, number) * step(1.3, 1.0, d) * step(0.6, 0.9, d)
    red = step(0.1, 0.7, noise(c.u, c.v, rng, 2.4, 3) - 0.6 * side) * body
    c.melanin += rng.uniform(0.6, 0.9) * (shade + 1.6 * black + dots).clip(0, 3.0) * (1 - 0.5 * red)
    c.blood += 0.35 * red + 0.1 * body
    veil = step(0.05, 0.7, noise(c.u, c.v, rng, 2.6, 3) + 0.4 * side) * step(0.95, 0.6, d)
    c.tint(veil * rng.uniform(0.35, 0.65), (0.43, 0.47, 0.56))
    scar = step(0.3, 0.9, noise(c.u, c.v, rng, 2.8, 3) - 0.5 * side) * step(0.95, 0.6, d)
    c.tint(0.45 * scar, (0.86, 0.78, 0.77))


def keratosis(c: Canvas, rng: np.random.Generator) -> None:
    """Stuck on, with a sharp edge: waxy ridges and furrows, pale cysts, dark plugs."""
    d = outline(c.u, c.v, rng, rng.uniform(0.5, 0.74), 0.07, 0.12)
    body = step(1.04, 0.93, d)
    warp = 0.25 * noise(c.u, c.v, rng, 2.2, 2)
    ridges = np.abs(noise(c.u + warp, c.v - warp, rng, 4.4, 2))
    furrows = step(0.3, 0.02, ridges)
    rim = step(0.75, 0.97, d)
    mottle = 0.8 + 0.35 * noise(c.u, c.v, rng, 3.0, 3)
    c.melanin += body * rng.uniform(0.22, 0.55) * (mottle + 0.65 * furrows + 0.4 * rim)
    c.tint(body * rng.uniform(0.2, 0.36) * (1 - 0.6 * furrows), WAX[rng.integers(len(WAX))])
    near, _, number = cells(c.u, c.v, rng, rng.uniform(4.2, 5.4), 0.9)
    inner = step(0.92, 0.8, d)
    spot = step(0.30, 0.10, near + 0.1 * noise(c.u, c.v, rng, 9.0))
    c.tint(0.8 * spot * inner * (number < rng.uniform(0.12, 0.4)), (0.95, 0.89, 0.74))
    c.tint(0.75 * spot * inner * (number > rng.uniform(0.62, 0.9)), (0.22, 0.14, 0.10))


def basal(c: Canvas, rng: np.random.Generator) -> None:
    """Pearly pink, with sharp branching vessels, blue-grey nests, sometimes an ulcer."""
    d = outline(c.u, c.v, rng, rng.uniform(0.5, 0.74), 0.09, 0.14)
    body = step(1.18, 0.75, d)
    c.melanin *= 1 - 0.5 * body
    c.blood += body * (0.2 + 0.14 * noise(c.u, c.v, rng, 3.0, 3))
    pearl = step(0.0, 0.8, noise(c.u, c.v, rng, 3.2, 3)) * body
    c.tint(0.14 * body + 0.42 * pearl, (0.96, 0.85, 0.83))
    near, _, number = cells(c.u, c.v, rng, rng.uniform(2.8, 3.8))
    lumpy = near + 0.16 * noise(c.u, c.v, rng, 6.0, 2)
    nests = step(0.50, 0.2, lumpy) * (number < rng.uniform(0.2, 0.55)) * step(1.05, 0.75, d)
    c.tint(0.7 * nests, (0.38, 0.38, 0.45))
    strokes = []
    for _ in range(rng.integers(2, 5)):
        angle = rng.uniform(0, 2 * np.pi)
        start = 0.8 * np.array([np.cos(angle), np.sin(angle)])
        strokes += tree(rng, start, angle + np.pi + rng.normal(0, 0.4), rng.uniform(0.030, 0.046), 0.46)
    c.tint(rng.uniform(0.6, 0.8) * c.strokes(strokes) * step(1.4, 0.95, d), (0.70, 0.15, 0.18))
    if rng.random() < 0.35:
        x, y = rng.normal(0, 0.18, 2).tolist()
        ulcer = step(1.1, 0.7, outline(c.u - x, c.v - y, rng, rng.uniform(0.14, 0.24), 0.16, 0.3))
        c.tint(ulcer * (0.8 + 0.2 * noise(c.u, c.v, rng, 8.0)), (0.52, 0.20, 0.11))


def actinic(c: Canvas, rng: np.random.Generator) -> None:
    """No border: a red haze between pale follicles (the strawberry), with dry yellow-white scale."""
    d = outline(c.u, c.v, rng, rng.uniform(0.66, 0.92), 0.10, 0.35)
    haze = step(1.3, 0.3, d)
    near, _, number = cells(c.u, c.v, rng, rng.uniform(4.8, 6.0), 0.75)
    holes = step(0.46, 0.18, near + 0.16 * number)
    c.blood += haze * (0.5 + 0.3 * noise(c.u, c.v, rng, 3.0, 3)) * (1 - 0.75 * holes)
    c.melanin += haze * (0.06 + 0.14 * step(0.1, 0.8, noise(c.u, c.v, rng, 3.0, 3)))
    c.tint(haze * holes * 0.45, (0.93, 0.83, 0.72))
    crust = 0.5 + noise(c.u, c.v, rng, 3.2, 3) - 0.75 * d
    flakes = step(-0.2, 0.5, crust) * (0.72 + 0.28 * noise(c.u, c.v, rng, 9.0, 2))
    c.tint(flakes * rng.uniform(0.45, 0.85), (0.91, 0.84, 0.66))
    c.tint(step(0.18, 0.4, crust) * step(0.25, 0.0, np.abs(noise(c.u, c.v, rng, 6.0))) * 0.4, (0.62, 0.38, 0.20))


def vascular(c: Canvas, rng: np.random.Generator) -> None:
    """Round lagoons of red, purple or blue-black blood, pale walls between them."""
    d = outline(c.u, c.v, rng, rng.uniform(0.36, 0.62), 0.07, 0.08)
    body = step(1.14, 0.88, d)
    near, second, number = cells(c.u, c.v, rng, rng.uniform(3.0, 5.0), 0.8)
    wobble = 0.08 * noise(c.u, c.v, rng, 5.0, 2)
    lagoon = step(0.66, 0.40, near + wobble) * step(0.0, rng.uniform(0.12, 0.3), second - near) * step(1.1, 0.86, d)
    dark = rng.uniform(0.0, 1.0)
    c.blood += body * rng.uniform(0.5, 0.95) + lagoon * (0.6 + 0.5 * number + 0.5 * dark)
    c.melanin += lagoon * dark * step(0.45, 0.8, number) * 0.8
    # Blood seen through more skin is bluer.
    depth = rng.uniform(0.0, 0.55)
    c.tint(body * depth * (0.5 + 0.5 * lagoon), (0.36, 0.12, 0.36))
    c.tint(body * (1 - lagoon) * 0.22, (0.92, 0.76, 0.82))
    c.tint(lagoon * step(0.34, 0.05, near) * 0.14, (0.95, 0.48, 0.46))


def fibroma(c: Canvas, rng: np.random.Generator) -> None:
    """A white scar in the middle, a delicate light-brown network around it."""
    d = outline(c.u, c.v, rng, rng.uniform(0.5, 0.76), 0.06, 0.10)
    ring = step(1.3, 0.75, d) * step(0.1, 0.65, d)
    mesh = network(c.u, c.v, rng, rng.uniform(6.5, 8.0), 0.09)
    c.melanin += rng.uniform(0.28, 0.5) * ring * (0.55 + 0.55 * mesh + 0.2 * noise(c.u, c.v, rng, 3.0, 2))
    c.blood += rng.uniform(0.1, 0.3) * step(1.25, 0.5, d)
    edge = d + 0.22 * noise(c.u, c.v, rng, 5.0, 3)
    c.tint(step(0.66, 0.18, edge) * rng.uniform(0.7, 0.9), (0.95, 0.88, 0.86))
    # Shiny white lines cross in the scar.
    lines = [
        (arc(rng, rng.normal(0, 0.12, 2), angle, rng.uniform(0.16, 0.3), rng.normal(0, 0.3)), 0.02)
        for angle in rng.choice((0.3, 1.9), 7) + rng.normal(0, 0.25, 7)
    ]
    c.tint(c.strokes(lines) * step(0.9, 0.5, d) * 0.4, (1.0, 0.97, 0.95))


# Alphabetical, as every layout's classes; the share of images has the long tail of a clinic.
LESIONS: dict[str, tuple[Painter, float]] = {
    "actinic": (actinic, 0.05),
    "basal": (basal, 0.08),
    "fibroma": (fibroma, 0.02),
    "keratosis": (keratosis, 0.13),
    "melanoma": (melanoma, 0.11),
    "nevus": (nevus, 0.58),
    "vascular": (vascular, 0.03),
}
