"""The sections of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hqgan.metrics.record import rows_from_json
from hqgan.report import figures
from hqgan.report.blocks import Block, Picture, Section, Table, Text, png
from hqgan.types import UNCOVERED
from hqgan.wording import plural

Result = dict[str, Any]

SCALE = "0 is real against real, 1 the PCA-Gaussian"


def compare_sections(result: Result, folder: Path) -> list[Section]:
    """Findings, leaderboard, curves, tests, metrics, pictures and protocol, for each data set.

    Args:
        result: what ``compare.json`` holds.
        folder: the comparison's, for its pictures.
    """
    sections: list[Section] = []
    for one in result["data"]:
        of = f" on {one['name']}" if len(result["data"]) > 1 else ""
        found = [Text(text, "finding") for text in one["sentences"]]
        if any(row.get("private") for row in one["leaderboard"]):
            found.append(Text(UNCOVERED, "warning"))
        sections.append(Section(f"What was found{of}", [*found]))
        sections.append(Section(f"Leaderboard{of}", _board(one)))
        if curves := _curves(one):
            sections.append(Section(f"Learning{of}", curves))
        if one["pairs"]:
            sections.append(Section(f"Paired tests{of}", [_pairs(one)]))
        sections.append(Section(f"All metrics{of}", [_metrics(one)]))
        picture = folder / "pictures" / f"{one['folder']}.png"
        if picture.exists():
            text = f"Generated images of seed 0, each row a generator; from left to right {', '.join(one['classes'])}."
            sections.append(Section(f"Images{of}", [png(picture, text)]))
        sections.append(Section(f"Protocol{of}", _protocol(result["settings"], one)))
    return sections


def _board(one: Result) -> list[Block]:
    known = [row for row in one["leaderboard"] if row["distance"]["mean"] is not None]
    blocks: list[Block] = []
    if known:
        rows = [
            {"name": r["name"], "group": "hybrid" if r["quantum_parameters"] else None, **r["distance"]} for r in known
        ]
        rows.sort(key=lambda r: r["group"] is not None)
        picture = figures.forest(rows, [("PCA-Gaussian", 1.0)], "normalised kernel distance to held-out real images")
        text = f"Distance to real test images, nearest first, classical above hybrid; {SCALE}; 95 % over seeds and lesions."
        blocks.append(Picture(picture, text))
    targets = [t["distance"] for t in one["leaderboard"][0]["seconds_to"]]
    head = [
        "generator",
        "distance",
        "95 %",
        "parameters",
        "of them in circuits",
        "critic",
        "epochs",
        "images/s",
        "seconds",
    ]
    head += [f"seconds to {target:g}" for target in targets]
    cells = []
    for row in one["leaderboard"]:
        d = row["distance"]
        cells.append(
            [
                row["name"],
                "-" if d["mean"] is None else f"{d['mean']:.3f}",
                "" if d["mean"] is None else f"{d['low']:.3f} to {d['high']:.3f}",
                *(f"{row[key]:,}" for key in ("parameters", "quantum_parameters", "critic_parameters")),
                f"{row['epochs']:.1f}",
                f"{row['images_per_second']:.0f}",
                f"{row['seconds']:,.0f}",
                *(_reached(t) for t in row["seconds_to"]),
            ]
        )
    caption = (
        "Medians over seeds, of training alone. Seconds to a distance: until it is first reached on the validation part, in "
        "brackets how many runs came there."
    )
    return [*blocks, Table(head, cells, caption)]


def _reached(target: Result) -> str:
    seconds = "-" if target["seconds"] is None else f"{target['seconds']:,.0f}"
    return f"{seconds} ({target['reached']}/{target['runs']})"


def _curves(one: Result) -> list[Block]:
    series = {name: points for name, points in one["curves"].items() if len(points) > 1}
    known = {name: [p for p in points if p["distance"] > 0] for name, points in series.items()}
    y = "normalised kernel distance, validation part"
    blocks: list[Block] = []
    for key, scale, label in (
        ("images", 1000.0, "thousands of real images shown"),
        ("seconds", 60.0, "minutes of training"),
    ):
        lines = [(n, [p[key] / scale for p in points], [p["distance"] for p in points]) for n, points in known.items()]
        if lines := [line for line in lines if line[1]]:
            picture = figures.lines(lines, label, y, log=True)
            blocks.append(Picture(picture, f"Distance against {label}, means over seeds; {SCALE}."))
    if hidden := [name for name, points in series.items() if any(p["distance"] <= 0 for p in points)]:
        blocks.append(Text(f"Points at or below 0 have no place on a logarithmic axis: {', '.join(hidden)}.", "note"))
    rows = [r for r in one["leaderboard"] if r["distance"]["mean"] is not None and r["distance"]["mean"] > 0]
    sizes = [r["parameters"] for r in rows]
    if len(rows) > 1 and max(sizes) > 1.1 * min(sizes):
        dots = [(r["name"], r["parameters"], r["distance"]["mean"], bool(r["quantum_parameters"])) for r in rows]
        picture = figures.dots(dots, "parameters of the generator", "normalised kernel distance, test part")
        blocks.append(
            Picture(picture, "Distance against parameters: down and to the left is better; filled: with circuits.")
        )
    return blocks


def _pairs(one: Result) -> Table:
    rows = [
        [
            f"{pair['name']} - {pair['against']}",
            f"{pair['mean']:+.3f}",
            f"{pair['low']:+.3f} to {pair['high']:+.3f}",
            f"{pair['nearer']} of {pair['seeds']}",
            f"{pair['p_value']:.2g}",
            f"{pair['p_corrected']:.2g}",
            "-" if pair["wilcoxon"] is None else f"{pair['wilcoxon']:.2g}",
        ]
        for pair in one["pairs"]
    ]
    head = ["difference of distances", "mean", "95 %", "seeds in which nearer", "p", "p corrected", "p by Wilcoxon"]
    caption = (
        "Below nought the first is nearer to real images. p by paired hierarchical bootstrap, corrected by Holm's method for the "
        "number of tests; beside it Wilcoxon's signed-rank test over seeds, exact, not corrected."
    )
    return Table(head, rows, caption)


def _metrics(one: Result) -> Table:
    rows = one["leaderboard"]
    found = [{m.label: m for m in rows_from_json(row["metrics"])} for row in rows]
    cells = []
    for label in dict.fromkeys(label for metrics in found for label in metrics):
        alike = [metrics.get(label) for metrics in found]
        first = next(m for m in alike if m is not None)
        values = ["-" if m is None or m.value is None else f"{m.value:.3g}" for m in alike]
        references = ["" if value is None else f"{value:.3g}" for value in (first.real_reference, first.baseline)]
        cells.append([label, *values, *references, f"{first.n:,}" if first.n else f"{one['n']:,}"])
    head = ["metric", *(row["name"] for row in rows), "real vs. real", "PCA-Gaussian", "N"]
    return Table(head, cells, "Means over seeds, all classes together, generated images against the test part.")


def _protocol(settings: Result, one: Result) -> list[Block]:
    counts = zip(one["classes"], one["training_images"], one["test_images"], strict=True)
    budget = "the images shown that stand below"
    if settings["seconds"]:
        budget += f", as many as {settings['seconds']:g} seconds allow by the rate of a few steps on this machine"
    shown = [
        [row["name"], row["preset"], f"{row['images']:,}", ", ".join(map(str, row["threads"])) or "-"]
        for row in one["leaderboard"]
    ]
    changes = ", ".join(f"{key}={value}" for key, value in settings["changes"].items())
    split = "parts the lesions anew (70 % train, 10 % validate, 20 % test, stratified) and "
    if one["published_split"]:
        split = "keeps the publisher's split and "
    return [
        Text(
            f"{plural(one['seeds'], 'seed')}, {one['size']} pixels. A seed {split}decides first weights, order and noise; all "
            f"generators share it. Budget: {budget}. The last averaged weights are measured on {one['n']:,} images of the test "
            f"part: nothing is chosen." + (f" Changed for all: {changes}." if changes else "")
        ),
        Text(
            "The distance is the mean of the normalised kernel distances in views that rank planted degradations rightly "
            f"({', '.join(one['views']) or 'none could be normalised here'}; on the validation part "
            f"{', '.join(one['curve_views']) or 'none'}); {SCALE}. Intervals and p-values: a hierarchical bootstrap, seeds by "
            "Student's t, lesions by halves of the test part, paired. All circuits were simulated: quantum-inspired."
        ),
        Text("Images by class, training/test part of seed 0: " + ", ".join(f"{n} {a}/{b}" for n, a, b in counts) + "."),
        Table(["generator", "preset", "images shown", "threads"], shown, prose=True),
        Text(f"Data: {one['name']}, licence: {one['licence']}; fingerprint {one['fingerprint'][:16]}.", "note"),
    ]
