"""Draws the diagrams of docs/images (`make pictures`): plain SVG that can be read on a light page and on a dark one.

All words are in filled boxes and lines are medium grey, so one file is enough for both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PLAIN, CLASSICAL, QUANTUM, CRITIC = "#64748b", "#2563eb", "#0f766e", "#b45309"
LINE = "#8492a6"
CELL = 14


def box(x: int, y: int, width: int, height: int, lines: Iterable[str], colour: str = PLAIN) -> str:
    """A filled rectangle with lines of white text in its middle; the first line is bold."""
    lines = list(lines)
    found = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" fill="{colour}"/>']
    top = y + height / 2 - 8 * (len(lines) - 1)
    for i, line in enumerate(lines):
        weight = ' font-weight="600"' if i == 0 else ""
        found.append(f'<text x="{x + width / 2:g}" y="{top + 16 * i:g}"{weight}>{escape(line)}</text>')
    return "\n".join(found)


def arrow(*points: tuple[int, int], dashed: bool = False) -> str:
    """A line through points, with a head at its end."""
    path = " ".join(f"{x},{y}" for x, y in points)
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2" marker-end="url(#head)"{dashes}/>'


def cells(x: int, y: int, filled: dict[int, str]) -> str:
    """A 4x4 grid of sites, some of them filled."""
    found = []
    for i in range(16):
        place = f'x="{x + (CELL + 2) * (i % 4)}" y="{y + (CELL + 2) * (i // 4)}"'
        style = f'fill="{filled[i]}"' if i in filled else f'fill="none" stroke="{LINE}"'
        found.append(f'<rect {place} width="{CELL}" height="{CELL}" rx="2" {style}/>')
    return "\n".join(found)


def page(width: int, height: int, title: str, *parts: str) -> str:
    """A whole SVG file."""
    head = (
        f'<marker id="head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{LINE}"/></marker>'
    )
    family = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
    style = f'font-family="{family}" font-size="12" fill="#ffffff" text-anchor="middle" dominant-baseline="central"'
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join(
        [start, f"<title>{escape(title)}</title>", f"<defs>{head}</defs>", f"<g {style}>", *parts, "</g>", "</svg>", ""]
    )


def gan() -> str:
    """Generator and critic, and what each learns from."""
    return page(
        760, 210, "A generator makes images from noise and a class; a critic compares them with real ones; both learn",
        box(10, 20, 110, 50, ["noise z", "normal"]), box(10, 90, 110, 50, ["class", "e.g. nevus"]),
        box(190, 45, 130, 70, ["generator", "convolutions", "and circuits"], QUANTUM),
        box(390, 20, 130, 50, ["generated", "images"]), box(390, 100, 130, 50, ["real", "images"]),
        box(590, 45, 150, 70, ["critic", "scores: how real,", "given the class"], CRITIC),
        arrow((120, 45), (186, 70)), arrow((120, 115), (186, 90)), arrow((320, 80), (353, 80), (353, 45), (386, 45)),
        arrow((520, 45), (586, 65)), arrow((520, 125), (586, 95)),
        arrow((665, 115), (665, 185), (255, 185), (255, 119), dashed=True),
        box(370, 172, 190, 26, ["gradients of the scores"], PLAIN),
    )  # fmt: skip


def generator() -> str:
    """The hybrid generator of the preset hqgan."""
    return page(
        760, 330, "Latent and class enter an encoder; a classical and a quantum branch; fusion; decoder; image",
        box(10, 70, 90, 46, ["latent z", "64 numbers"]), box(10, 246, 90, 40, ["class"]),
        box(150, 58, 150, 70, ["encoder", "4x4 map,", "one cell a site"], CLASSICAL),
        box(350, 12, 160, 56, ["classical branch", "up to 8x8"], CLASSICAL),
        box(350, 92, 160, 56, ["encoding angles", "linear, batch norm"], QUANTUM),
        box(350, 168, 160, 56, ["16 circuits", "one a site"], QUANTUM),
        box(350, 244, 160, 56, ["readouts", "at their sites, to 8x8"], QUANTUM),
        box(565, 62, 90, 56, ["fusion", "side by side"]), box(570, 168, 170, 56, ["decoder", "8x8 to 64x64"], CLASSICAL),
        box(670, 62, 70, 56, ["image", "64x64"]),
        arrow((100, 93), (146, 93)), arrow((300, 80), (325, 80), (325, 40), (346, 40)),
        arrow((300, 105), (325, 105), (325, 120), (346, 120)), arrow((430, 148), (430, 164)), arrow((430, 224), (430, 240)),
        arrow((510, 40), (540, 40), (540, 78), (561, 78)), arrow((510, 272), (540, 272), (540, 102), (561, 102)),
        arrow((610, 118), (610, 164)), arrow((705, 168), (705, 122)),
        arrow((100, 258), (225, 258), (225, 132), dashed=True), arrow((55, 286), (55, 318), (655, 318), (655, 228), dashed=True),
    )  # fmt: skip


def fusion() -> str:
    """What reaches the fusion from the circuits, in the paper and here."""
    some = dict.fromkeys((0, 4, 8, 11, 15), QUANTUM)
    every = dict.fromkeys(range(16), QUANTUM)
    parts = [box(10, 10, 360, 30, ["paper: five circuits, one averaged number each"], PLAIN), cells(30, 75, some)]
    parts += [box(390, 10, 360, 30, ["hqgan: sixteen circuits, every readout a channel"], QUANTUM)]
    parts += [cells(410, 75, every)]
    parts += [arrow((110, 106), (146, 106)), box(150, 80, 90, 52, ["1 each", "their mean"])]
    parts += [arrow((240, 106), (276, 106)), box(280, 80, 90, 52, ["5 of 16", "sites"])]
    parts += [arrow((490, 106), (526, 106)), box(530, 80, 90, 52, ["16 each", "its readouts"], QUANTUM)]
    parts += [arrow((620, 106), (656, 106)), box(660, 80, 90, 52, ["16 of 16", "sites"], QUANTUM)]
    return page(760, 160, "Sites and numbers that the quantum branch writes", *parts)


def scale() -> str:
    """Where a distance stands: between its two references."""
    return page(
        760, 130, "A distance is read between two references: real images against real ones, and a PCA-Gaussian",
        arrow((30, 82), (735, 82)),
        box(45, 20, 200, 44, ["0: real vs. real", "real against held-out real"], QUANTUM),
        box(430, 20, 170, 44, ["1: simple baseline", "PCA-Gaussian"], CRITIC),
        f'<circle cx="145" cy="82" r="6" fill="{QUANTUM}"/>', f'<circle cx="515" cy="82" r="6" fill="{CRITIC}"/>',
        f'<circle cx="330" cy="82" r="6" fill="{CLASSICAL}"/>',
        box(245, 98, 170, 26, ["a useful generator"], CLASSICAL),
        box(600, 98, 140, 26, ["farther: worse"], PLAIN),
    )  # fmt: skip


def flow() -> str:
    """How data flow through the folders of the package."""
    return page(
        760, 400, "Images are split; training makes a checkpoint; its images are compared with the test part; pages show results",
        box(10, 16, 110, 64, ["images", "a folder or", "a data set"]),
        box(160, 16, 130, 64, ["data/", "index, cache,", "split by lesion"], CLASSICAL),
        box(310, 35, 95, 26, ["training part"]),
        box(445, 16, 130, 64, ["run/, training/", "set up; repeat", "one step"], CLASSICAL),
        box(620, 16, 130, 64, ["checkpoint", "averaged weights,", "config, hashes"]),
        box(445, 126, 130, 64, ["models/, circuits/", "generator, critic,", "simulator"], QUANTUM),
        box(177, 145, 95, 26, ["test part"]),
        box(445, 236, 130, 64, ["sampling/", "load, generate,", "export, push"], CLASSICAL),
        box(310, 255, 95, 26, ["new images"]),
        box(160, 236, 130, 64, ["evaluation/", "metrics/: distances;", "audit of copying"], CRITIC),
        box(10, 236, 110, 64, ["report/, serve/", "one page;", "a web page"]),
        box(160, 342, 415, 46, ["experiments/: study, compare", "all of this per seed and generator; then statistics"], CRITIC),
        arrow((120, 48), (156, 48)), arrow((290, 48), (306, 48)), arrow((405, 48), (441, 48)), arrow((575, 48), (616, 48)),
        arrow((510, 126), (510, 84)), arrow((225, 80), (225, 141)), arrow((225, 171), (225, 232)),
        arrow((685, 80), (685, 268), (579, 268)), arrow((445, 268), (409, 268)), arrow((310, 268), (294, 268)),
        arrow((160, 268), (124, 268)), arrow((225, 300), (225, 338)), arrow((160, 365), (65, 365), (65, 304)),
    )  # fmt: skip


def logo() -> str:
    """Two waves that cross: a wire and a lesion's outline."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><title>HQ-GAN</title>'
        '<rect width="48" height="48" rx="10" fill="#134e4a"/>'
        '<g fill="none" stroke-width="3" stroke-linecap="round">'
        '<path d="M6 17h36M6 31h36" stroke="#5eead4"/><path d="M24 17v14" stroke="#ffffff"/></g>'
        '<circle cx="24" cy="17" r="4.5" fill="#ffffff"/><circle cx="24" cy="31" r="4.5" fill="#ffffff"/>'
        '<rect x="9" y="11" width="9" height="12" rx="2" fill="#f59e0b"/></svg>\n'
    )


DRAWN = {
    "diagram-gan.svg": gan,
    "diagram-generator.svg": generator,
    "diagram-fusion.svg": fusion,
    "diagram-scale.svg": scale,
    "diagram-flow.svg": flow,
    "logo.svg": logo,
}
"""File name to what draws it."""
CIRCUIT = ("circuits", "draw", "hqgan", "--qubits", "4", "--depth", "2", "--out")


def main() -> None:
    """Write every picture, the circuit by the command that users have."""
    for name, draw in DRAWN.items():
        (IMAGES / name).write_text(draw())
    subprocess.run([sys.executable, "-m", "hqgan", *CIRCUIT, str(IMAGES / "circuit.svg")], check=True)


if __name__ == "__main__":
    main()
