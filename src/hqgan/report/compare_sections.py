"""The sections of a comparison's report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hqgan.experiments.compare.results import CompareResult, DataResult, TimeTo
from hqgan.report import figures
from hqgan.report.blocks import Block, Picture, Section, Table, Text, png
from hqgan.report.figures import ForestRow
from hqgan.report.run_sections import SCALE
from hqgan.report.study_sections import findings, source_of
from hqgan.wording import cell, plural


def compare_sections(result: CompareResult, folder: Path) -> list[Section]:
    """Findings, leaderboard, curves, tests, metrics, pictures and protocol, for each data set.

    Args:
        result: of the comparison.
        folder: the comparison's, for its pictures.
    """
    sections: list[Section] = []
    for one in result.data:
        of = f" on {one.name}" if len(result.data) > 1 else ""
        sections.append(findings(f"Findings{of}", one))
        sections.append(Section(f"Leaderboard{of}", _board(one)))
        if curves := _curves(one):
            sections.append(Section(f"Training curves{of}", curves))
        if one.pairs:
            sections.append(Section(f"Paired tests{of}", [_pairs(one)]))
        sections.append(Section(f"All metrics{of}", [_metrics(one)]))
        picture = folder / "pictures" / f"{one.folder}.png"
        if picture.exists():
            text = f"Generated images of seed 0, a row for each generator. Classes from left to right: {', '.join(one.classes)}."
            sections.append(Section(f"Images{of}", [png(picture, text)]))
        sections.append(Section(f"Protocol{of}", _protocol(result.settings, one)))
    return sections


def _board(one: DataResult) -> list[Block]:
    blocks: list[Block] = []
    rows = [
        ForestRow(r.name, d.mean, d.low, d.high, "hybrid" if r.quantum_parameters else None)
        for r in one.leaderboard
        if (d := r.distance).mean is not None and d.low is not None and d.high is not None
    ]
    if rows:
        rows.sort(key=lambda r: r.group is not None)
        picture = figures.forest(rows, [], "normalised kernel distance to held-out real images", normalised=True)
        text = (
            f"Distance to real test images with 95 % intervals over seeds and lesions; {SCALE}. Classical generators above, "
            "generators with circuits below."
        )
        blocks.append(Picture(picture, text))
    head = ["generator", "distance", "95 %", "parameters", "of these in circuits", "critic parameters", "epochs"]
    head += ["images/s", "seconds", *(f"seconds to {target.distance:g}" for target in one.leaderboard[0].seconds_to)]
    cells = [
        [
            row.name,
            cell("{:.3f}", row.distance.mean),
            cell("[{:.3f}, {:.3f}]", row.distance.low, row.distance.high),
            *(f"{number:,}" for number in (row.parameters, row.quantum_parameters, row.critic_parameters)),
            f"{row.epochs:.1f}",
            f"{row.images_per_second:.0f}",
            f"{row.seconds:,.0f}",
            *(_reached(t) for t in row.seconds_to),
        ]
        for row in one.leaderboard
    ]
    caption = (
        "Times are medians over seeds and cover training only. Seconds to a distance: until the distance on the validation part "
        "first reaches it; in brackets how many of the runs did."
    )
    return [*blocks, Table(head, cells, caption)]


def _reached(target: TimeTo) -> str:
    return f"{cell('{:,.0f}', target.seconds)} ({target.reached}/{target.runs})"


def _curves(one: DataResult) -> list[Block]:
    series = {name: points for name, points in one.curves.items() if len(points) > 1}
    y = "normalised kernel distance, validation part"
    blocks: list[Block] = []
    for key, scale, label in (
        ("images", 1000.0, "thousands of real images shown"),
        ("seconds", 60.0, "minutes of training"),
    ):
        lines = [
            (n, [getattr(p, key) / scale for p in points], [p.distance for p in points]) for n, points in series.items()
        ]
        if lines:
            picture = figures.lines(lines, label, y, "normalised")
            blocks.append(Picture(picture, f"Distance against {label}, means over seeds; {SCALE}."))
    rows = [(r, mean) for r in one.leaderboard if (mean := r.distance.mean) is not None]
    sizes = [r.parameters for r, _ in rows]
    if len(rows) > 1 and max(sizes) > 1.1 * min(sizes):
        dots = [(r.name, r.parameters, mean, bool(r.quantum_parameters)) for r, mean in rows]
        picture = figures.dots(dots, "parameters of the generator", "normalised kernel distance, test part")
        text = (
            f"Distance against parameters: lower and further left is better; {SCALE}. Filled: generators with circuits."
        )
        blocks.append(Picture(picture, text))
    return blocks


def _pairs(one: DataResult) -> Table:
    rows = [
        [
            f"{pair.name} - {pair.against}",
            cell("{:+.3f}", pair.mean),
            cell("[{:+.3f}, {:+.3f}]", pair.low, pair.high),
            f"{pair.nearer} of {pair.seeds}",
            *(cell("{:.2g}", p) for p in (pair.p_value, pair.p_corrected, pair.wilcoxon)),
        ]
        for pair in one.pairs
    ]
    head = ["difference of distances", "mean", "95 %", "seeds in which nearer", "p", "p corrected", "p (Wilcoxon)"]
    caption = (
        "Below zero the first generator is nearer to real images. p-values come from a paired hierarchical bootstrap and are "
        "corrected for the number of tests by Holm's method. The last column is Wilcoxon's signed-rank test over seeds, "
        "exact and not corrected."
    )
    return Table(head, rows, caption)


def _metrics(one: DataResult) -> Table:
    found = [{metric.label: metric for metric in row.metrics} for row in one.leaderboard]
    cells = []
    for label in dict.fromkeys(label for metrics in found for label in metrics):
        alike = [metrics.get(label) for metrics in found]
        first = next(m for m in alike if m is not None)
        values = [None if m is None else m.value for m in alike] + [first.real_reference, first.baseline]
        cells.append([label, *(cell("{:.3g}", value) for value in values), f"{first.n or one.n:,}"])
    head = ["metric", *(row.name for row in one.leaderboard), "real vs. real", "PCA-Gaussian", "N"]
    return Table(head, cells, "Generated images against the test part, all classes together, means over seeds.")


def _protocol(settings: Mapping[str, Any], one: DataResult) -> list[Block]:
    budget = "the images shown in the table below"
    if settings["seconds"]:
        budget += f", as many as the speed of a few steps on this machine allows in {settings['seconds']:g} seconds"
    shown = [
        [row.name, row.preset, f"{row.images:,}", ", ".join(map(str, row.threads)) or "-"] for row in one.leaderboard
    ]
    changes = ", ".join(f"{key}={value}" for key, value in settings["changes"].items())
    split = "The publisher's split is used."
    if not one.published_split:
        split = "For each seed the lesions are split at random within each class: 70 % train, 10 % validate, 20 % test."
    return [
        Text(
            f"{plural(one.seeds, 'seed')}, {one.size} pixels. {split} The seed also sets the first weights, the order of the "
            f"images and the noise, and all generators share it. Budget: {budget}. The final averaged weights are compared with "
            f"{one.n:,} images of the test part; no checkpoint is selected."
            + (f" Changed for all generators: {changes}." if changes else "")
        ),
        Text(
            "The distance is the mean of the normalised kernel distances over feature extractors that rank corrupted images "
            f"correctly ({', '.join(one.extractors) or 'none could be normalised here'}; on the validation part "
            f"{', '.join(one.curve_extractors) or 'none'}); {SCALE}. Intervals and p-values come from a paired hierarchical "
            "bootstrap: Student's t for seeds, random halves of the test part for lesions. All circuits were simulated on a "
            "classical computer: the results are quantum-inspired."
        ),
        Text(f"Images by class in the training/test part of seed 0: {one.counts}."),
        Table(["generator", "preset", "images shown", "threads"], shown, prose=True),
        source_of(one),
    ]
