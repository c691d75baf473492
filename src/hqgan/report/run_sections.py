"""The sections of a run's report: facts, images, training curves, metrics, circuit and config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.report import figures
from hqgan.report.blocks import Block, Code, Picture, Section, Table, Text, png, read
from hqgan.run.log import read_lines
from hqgan.wording import at_most, plural

Result = dict[str, Any]

CIRCUIT, BESIDE = "circuit.svg", "real-and-generated.png"

MOST_POINTS = 500
"""Most points of a loss curve; longer ones are thinned out evenly."""


def run_sections(run: Path, name: str, real: bool) -> list[Section]:
    """All sections of a run.

    Args:
        run: folder of the run.
        name: of the run in the report.
        real: whether pictures that show real images are included.
    """
    config = read(run / "config.json")
    lines = read_lines(run / "metrics.jsonl")
    sections = [Section(f"Run: {name}", [_facts(run, config, lines)])]
    private = config.get("privacy", {}).get("epsilon") is not None
    sections[0].blocks += _pictures(run, real and not private)
    if found := curves(lines):
        sections.append(Section(f"{name}: training curves", [*found], 3))
    sections.append(Section(f"{name}: metrics", _metrics(run, lines, private), 3))
    if (run / CIRCUIT).exists():
        text = (run / CIRCUIT).read_text()
        drawing = Picture(
            text[text.index("<svg") :], "One of the circuits, with a single layer drawn. Qubit 0 is the top line."
        )
        sections.append(Section(f"{name}: circuit", [drawing], 3))
    sections.append(Section(f"{name}: config", [Code(json.dumps(config, indent=1))], 3))
    return sections


def comparison(runs: list[tuple[str, Path]]) -> Section:
    """The distances of several runs during training in one chart."""
    series = []
    for name, run in runs:
        found = [line for line in read_lines(run / "metrics.jsonl") if line["kind"] == "evaluate"]
        points = [(line["images"] / 1000, _normalised(rows_from_json(line["rows"]), "fd", "derm")) for line in found]
        known = [(x, y) for x, y in points if y is not None]
        if known:
            series.append((name, [x for x, _ in known], [y for _, y in known]))
    section = Section("Comparison of runs")
    if not series:
        section.blocks.append(
            Text("No run was evaluated with a normalised Fréchet distance (derm) during training.", "note")
        )
    else:
        picture = figures.lines(series, "thousands of real images shown", "normalised Fréchet distance, derm", log=True)
        section.blocks.append(
            Picture(
                picture,
                "Distance on the validation part during training: 0 is real vs. real, 1 the PCA-Gaussian baseline.",
            )
        )
    return section


def _facts(run: Path, config: Result, lines: list[Result]) -> Table:
    started = read(run / "run.json") if (run / "run.json").exists() else {}
    data, training, generator = started.get("data", {}), config["training"], config["generator"]
    images = lines[-1]["images"] if lines else 0
    counts = data.get("training_images", [])
    rows = [
        ["preset", config["preset"]],
        ["data", f"{data.get('name', config['data']['path'])}, {config['data']['size']} pixels"],
        ["real images shown", f"{images:,}" + (f" ({images / sum(counts):.1f} epochs)" if sum(counts) else "")],
        ["loss, batch, seed", f"{training['loss']}, {training['batch']}, {training['seed']}"],
    ]
    if generator["kind"] == "hybrid":
        c = generator["circuit"]
        size = f"{plural(c['qubits'], 'qubit')} and {plural(c['layers'], 'layer')}"
        rows.append(["circuits", f"{generator['sub_generators']}, each of {size}, simulated"])
    if started.get("privacy"):
        rows += _privacy(run, started["privacy"], lines)
    timing = read_lines(run / "timing.jsonl")
    if timing and not started.get("privacy"):  # a private run's times follow the sizes of its samples
        rows.append(["training time", f"{timing[-1]['seconds'] / 60:.0f} min"])
    if data.get("licence"):
        rows.append(["licence of the data", data["licence"]])
    return Table(["", ""], rows, prose=True)


def _privacy(run: Path, plan: Result, lines: list[Result]) -> list[list[str]]:
    """The privacy of a private run: what was spent so far, and the settings that it follows from."""
    # The last checkpoint of a run that was stopped is newer than its last line of metrics.
    newest = max((run / "checkpoints").glob("*.json"), default=None)
    saved = read(newest)["privacy"]["spent"] if newest else 0.0
    spent = max([saved, *(line["privacy/epsilon"] for line in lines if "privacy/epsilon" in line)])
    return [
        [
            "privacy spent",
            f"epsilon {at_most(spent)} of {plan['epsilon']:g} at delta {plan['delta']:g}, for each lesion",
        ],
        [
            "privacy settings",
            f"clip {plan['clip']:g}, noise multiplier {plan['noise_multiplier']:.3g}, {plan['steps']:,} critic steps planned, "
            f"each on a Poisson sample at rate {plan['sampling_rate']:.3g} of {plan['lesions']:,} lesions",
        ],
    ]


def _pictures(run: Path, real: bool) -> list[Block]:
    samples = sorted((run / "samples").glob("*.png"))
    found: list[Block] = []
    if real and (run / BESIDE).exists():
        found.append(
            png(
                run / BESIDE, "One row for each class: real training images on the left, generated images on the right."
            )
        )
    if samples:
        found.append(
            png(samples[-1], f"Generated images by class after {int(samples[-1].stem.split('-')[1]):,} images shown.")
        )
    return found


def curves(lines: list[Result]) -> list[Picture]:
    """Charts of distances and losses against images shown, from the lines of a metrics.jsonl; each needs two points."""
    found = [line for line in lines if line["kind"] == "evaluate"]
    across = [line["images"] / 1000 for line in found]
    evaluations = [rows_from_json(line["rows"]) for line in found]
    extractors = dict.fromkeys(r.extractor for rows in evaluations[-1:] for r in rows if r.extractor != "laplacian")
    out: list[Picture] = []
    for kind, called in (("fd", "Fréchet"), ("kd", "kernel")):  # a small validation part has no Fréchet distance
        series = []
        for extractor in extractors:
            values = [_normalised(rows, kind, extractor) for rows in evaluations]
            known = [(x, y) for x, y in zip(across, values, strict=True) if y is not None and y > 0]
            series.append((str(extractor), [x for x, _ in known], [y for _, y in known]))
        if distances := [one for one in series if len(one[1]) > 1]:
            label = f"normalised {called} distance"
            picture = figures.lines(distances, "thousands of real images shown", label, log=True)
            text = (
                "Distance by feature extractor on the validation part: 0 is real vs. real, 1 the PCA-Gaussian baseline."
            )
            out.append(Picture(picture, text))
            break
    steps = [line for line in lines if line["kind"] == "train"]
    steps = steps[:: -(-len(steps) // MOST_POINTS) or 1]
    names = [key for key in ("loss/critic", "loss/generator") if len(steps) > 1 and key in steps[-1]]
    x = [line["images"] / 1000 for line in steps]
    losses = [(key.removeprefix("loss/"), x, [line[key] for line in steps]) for key in names]
    if losses:
        out.append(
            Picture(
                figures.lines(losses, "thousands of real images shown", "loss"),
                "Losses of the critic and the generator.",
            )
        )
    return out


def _metrics(run: Path, lines: list[Result], private: bool) -> list[Block]:
    path = run / "evaluation.json"
    if path.exists():
        result = read(path)
        rows, side = rows_from_json(result["metrics"]), "test"
    else:
        result = {}
        found = [line for line in lines if line["kind"] == "evaluate"]
        if not found:
            return [Text("Not measured yet; run hqgan evaluate.", "note")]
        rows, side = rows_from_json(found[-1]["rows"]), "validation"
    out: list[Block] = []
    if private:
        out.append(
            Text("These numbers were computed from real images and are not covered by the run's epsilon.", "warning")
        )
    out += [
        metric_table(
            rows,
            f"Generated images against real images of the {side} part. Normalised: 0 is real vs. real (the best case), 1 the "
            "PCA-Gaussian baseline.",
        )
    ]
    absent: dict[str | None, list[str]] = {}
    for row in rows:
        if row.value is None and row.class_name is None:
            absent.setdefault(row.reason, []).append(row.label)
    out += [Text(f"Not computed: {', '.join(names)} ({reason}).", "note") for reason, names in absent.items()]
    if by_class := _by_class(rows):
        out.append(by_class)
    if "geometry" in result:
        out += _geometry(result["geometry"])
    if "skin" in result:
        out += _skin(result["skin"])
    return out


def metric_table(rows: list[MetricRow], caption: str) -> Table:
    """A table of the metrics over all classes with interval, real reference and baseline."""
    cells = [
        [
            row.label,
            f"{row.value:.4g}",
            "" if row.low is None else f"{row.low:.3g} to {row.high:.3g}",
            *("" if value is None else f"{value:.3g}" for value in (row.real_reference, row.baseline, row.normalised)),
            f"{row.n:,}",
        ]
        for row in rows
        if row.class_name is None and row.value is not None
    ]
    head = ["metric", "value", "95 %", "real vs. real", "PCA-Gaussian", "normalised", "N"]
    return Table(head, cells, caption)


def _by_class(rows: list[MetricRow]) -> Table | None:
    kernels = [row for row in rows if row.class_name is not None and row.distance == "kd"]
    if not kernels:
        return None
    classes = list(dict.fromkeys(str(row.class_name) for row in kernels))
    cells = []
    for extractor in dict.fromkeys(str(row.extractor) for row in kernels):
        own = {row.class_name: row.normalised for row in kernels if row.extractor == extractor}
        cells.append([extractor, *("" if (value := own.get(c)) is None else f"{value:.2f}" for c in classes)])
    caption = (
        "Normalised kernel distance by class: 0 is real vs. real, 1 the PCA-Gaussian baseline. Blank: too few images."
    )
    return Table(["extractor", *classes], cells, caption)


def _geometry(found: Result) -> list[Block]:
    rows = [
        [
            row["of"],
            f"{row['effective_rank']:.1f}",
            f"{row['low']:.1f} to {row['high']:.1f}",
            str(row["dimensions"]),
            "" if row["share"] is None else f"{row['share']:.0%}",
        ]
        for row in found["jacobian"]
    ]
    series = [(row["of"], list(range(1, len(row["spectrum"]) + 1)), row["spectrum"]) for row in found["jacobian"]]
    picture = figures.lines(series, "singular value, largest first", "mean singular value", log=True)
    paths = found["interpolation"]
    return [
        Table(["derivative with respect to", "effective rank", "95 %", "largest possible", "share"], rows,
              "Jacobian of the image: with respect to the whole latent, and through each branch alone. Share: of the "
              "squared norms of both branches."),
        Picture(picture, "Singular values of the Jacobian: how many directions of the latent change the image, and how much."),
        Text(f"Interpolation between two latents of a class: the mean step is {paths['evenness']:.0%} of the largest (100 % is "
             f"perfectly even), and the path is {paths['detour']:.2f} times as long as the direct distance.", "note"),
    ]  # fmt: skip


def _skin(found: Result) -> list[Block]:
    rows = [
        [
            row["class"] or "all",
            f"{row['generated']:.0f}",
            f"{row['real']:.0f}",
            f"{row['generated'] - row['real']:+.0f}",
            f"{row['low']:+.0f} to {row['high']:+.0f}",
        ]
        for row in found["rows"]
    ]
    head = ["class", "generated", "real", "difference", "95 %"]
    table = Table(
        head,
        rows,
        "Skin tone: individual typology angle at the borders of the images, median in degrees. Higher is lighter.",
    )
    return [table, Text(found["warning"], "warning")]


def _normalised(rows: list[MetricRow], distance: str, extractor: str | None) -> float | None:
    alike = (r for r in rows if r.class_name is None and r.extractor == extractor and r.distance == distance)
    return next((r.normalised for r in alike), None)
