"""The sections of a run: what it is, how it learnt, what it makes, how that measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.report import figures
from hqgan.report.blocks import Block, Code, Picture, Section, Table, Text, png, read
from hqgan.wording import at_most

Result = dict[str, Any]

CIRCUIT, BESIDE = "circuit.svg", "real-and-generated.png"

MOST_POINTS = 500
"""Of a curve of losses; of longer ones every so many."""


def run_sections(run: Path, name: str, real: bool) -> list[Section]:
    """Everything that a run's folder holds.

    Args:
        run: the folder.
        name: what the page calls it.
        real: whether pictures that show real images are taken in.
    """
    config = read(run / "config.json")
    lines = jsonl(run / "metrics.jsonl")
    sections = [Section(f"Run: {name}", [_facts(run, config, lines)])]
    private = config.get("privacy", {}).get("epsilon") is not None
    sections[0].blocks += _pictures(run, real and not private)
    if found := curves(lines):
        sections.append(Section(f"{name}: how it learnt", [*found], 3))
    sections.append(Section(f"{name}: how its images measure", _metrics(run, lines, private), 3))
    if (run / CIRCUIT).exists():
        text = (run / CIRCUIT).read_text()
        drawing = Picture(text[text.index("<svg") :], "Each of the circuits: qubit 0 on top, one layer drawn.")
        sections.append(Section(f"{name}: its circuit", [drawing], 3))
    sections.append(Section(f"{name}: its config", [Code(json.dumps(config, indent=1))], 3))
    return sections


def comparison(runs: list[tuple[str, Path]]) -> Section:
    """Several runs' distances over training, in one picture."""
    series = []
    for name, run in runs:
        found = [line for line in jsonl(run / "metrics.jsonl") if line["kind"] == "evaluate"]
        points = [(line["images"] / 1000, _normalised(rows_from_json(line["rows"]), "fd", "derm")) for line in found]
        known = [(x, y) for x, y in points if y is not None]
        if known:
            series.append((name, [x for x, _ in known], [y for _, y in known]))
    section = Section("Runs side by side")
    if series:
        picture = figures.lines(series, "thousands of real images shown", "normalised Fréchet distance, derm", log=True)
        section.blocks.append(
            Picture(picture, "On the validation part while training: 0 is real against real, 1 the PCA-Gaussian.")
        )
    return section


def jsonl(path: Path) -> list[Result]:
    """Lines of a growing JSON file; a last line that is still being written is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(values, dict) or (path.name == "metrics.jsonl" and not isinstance(values.get("kind"), str)):
            break
        found.append(values)
    return found


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
        rows.append(
            ["circuits", f"{generator['sub_generators']} of {c['qubits']} qubits and {c['layers']} layers, simulated"]
        )
    if started.get("privacy"):
        rows += _privacy(run, started["privacy"], lines)
    timing = jsonl(run / "timing.jsonl")
    if timing and not started.get("privacy"):  # a private run's times follow the sizes of its samples
        rows.append(["training time", f"{timing[-1]['seconds'] / 60:.0f} min"])
    if data.get("licence"):
        rows.append(["licence of the data", data["licence"]])
    return Table(["", ""], rows, prose=True)


def _privacy(run: Path, plan: Result, lines: list[Result]) -> list[list[str]]:
    """Of a private run: what was spent so far, and what that rests on."""
    # A run that was stopped has a checkpoint after its last line of metrics.
    newest = max((run / "checkpoints").glob("*.json"), default=None)
    saved = read(newest)["privacy"]["spent"] if newest else 0.0
    spent = max([saved, *(line["privacy/epsilon"] for line in lines if "privacy/epsilon" in line)])
    return [
        [
            "privacy spent",
            f"epsilon {at_most(spent)} of {plan['epsilon']:g} at delta {plan['delta']:g}, for any one lesion",
        ],
        [
            "by",
            f"clip {plan['clip']:g}, noise multiplier {plan['noise_multiplier']:.3g}, {plan['steps']:,} critic steps planned, "
            f"each on a Poisson sample at rate {plan['sampling_rate']:.3g} of {plan['lesions']:,} lesions",
        ],
    ]


def _pictures(run: Path, real: bool) -> list[Block]:
    samples = sorted((run / "samples").glob("*.png"))
    found: list[Block] = []
    if real and (run / BESIDE).exists():
        found.append(png(run / BESIDE, "Real training images left, generated ones right, each row a class."))
    if samples:
        found.append(
            png(samples[-1], f"Generated images by class after {int(samples[-1].stem.split('-')[1]):,} images shown.")
        )
    return found


def curves(lines: list[Result]) -> list[Picture]:
    """Distances and losses against images shown, of the lines of a metrics.jsonl; what has two points or more."""
    found = [line for line in lines if line["kind"] == "evaluate"]
    across = [line["images"] / 1000 for line in found]
    evaluations = [rows_from_json(line["rows"]) for line in found]
    extractors = dict.fromkeys(r.extractor for rows in evaluations[-1:] for r in rows if r.extractor != "laplacian")
    out: list[Picture] = []
    for kind, called in (("fd", "Fréchet"), ("kd", "kernel")):  # there is no Fréchet distance of few images
        series = []
        for extractor in extractors:
            values = [_normalised(rows, kind, extractor) for rows in evaluations]
            known = [(x, y) for x, y in zip(across, values, strict=True) if y is not None and y > 0]
            series.append((str(extractor), [x for x, _ in known], [y for _, y in known]))
        if distances := [one for one in series if len(one[1]) > 1]:
            label = f"normalised {called} distance"
            picture = figures.lines(distances, "thousands of real images shown", label, log=True)
            text = "Distance by feature extractor on the validation part: 0 is real against real, 1 the PCA-Gaussian."
            out.append(Picture(picture, text))
            break
    steps = [line for line in lines if line["kind"] == "train"]
    steps = steps[:: -(-len(steps) // MOST_POINTS) or 1]
    names = [key for key in ("loss/critic", "loss/generator") if len(steps) > 1 and key in steps[-1]]
    x = [line["images"] / 1000 for line in steps]
    losses = [(key.removeprefix("loss/"), x, [line[key] for line in steps]) for key in names]
    if losses:
        out.append(
            Picture(figures.lines(losses, "thousands of real images shown", "loss"), "Losses of critic and generator.")
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
            return [Text("Not measured yet: `hqgan evaluate` does that.", "note")]
        rows, side = rows_from_json(found[-1]["rows"]), "validation"
    out: list[Block] = []
    if private:
        out.append(Text("These numbers look at real images: the run's epsilon does not cover them.", "warning"))
    out += [
        metric_table(
            rows,
            f"Generated images against real ones of the {side} part, between real vs. real and the PCA-Gaussian baseline.",
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
    """Metrics over all classes with intervals, real reference and baseline."""
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
    caption = "Normalised kernel distance by class; blank where a side has too few images."
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
        Table(["derivative of the image", "effective rank", "95 %", "of", "share"], rows,
              "By the latent, whole and through each branch alone; share: of both branches' squared norms."),
        Picture(picture, "Spectrum of the Jacobian: how many directions of the latent the image follows."),
        Text(f"Between two latents of a class the mean step is {paths['evenness']:.0%} of the largest (100 %: even), the way "
             f"{paths['detour']:.2f} times the distance of its ends.", "note"),
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
    head = ["class", "generated", "real", "apart", "95 %"]
    table = Table(head, rows, "Individual typology angle of the images' borders, median degrees: higher is lighter.")
    return [table, Text(found["warning"], "warning")]


def _normalised(rows: list[MetricRow], distance: str, extractor: str | None) -> float | None:
    alike = (r for r in rows if r.class_name is None and r.extractor == extractor and r.distance == distance)
    return next((r.normalised for r in alike), None)
