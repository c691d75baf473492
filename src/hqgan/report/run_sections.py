"""The sections of a run's report: facts, images, training curves, metrics, circuit, config and copying audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hqgan.evaluation.audit_tables import NEAREST_CAPTION, flagged_counts, nearest_head, nearest_rows
from hqgan.evaluation.verdict import HEAD, verdict_of
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.report import figures
from hqgan.report.blocks import Block, Code, Details, Finding, Picture, Section, Table, Text, png, read, table_of
from hqgan.run.log import read_lines
from hqgan.wording import at_most, cell, plural

Result = dict[str, Any]

SHOWN = "thousands of real images shown"
SCALE = "0 is real vs. real, 1 the PCA-Gaussian baseline"
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
    private = config.get("privacy", {}).get("epsilon") is not None
    sections = [Section(f"Run: {name}", [_facts(run, config, lines), *_pictures(run, real and not private)])]
    sections.append(_metrics(f"{name}: metrics", run, lines, private))
    if found := curves(lines):
        sections.append(Section(f"{name}: training curves", [*found], 3))
    if (run / CIRCUIT).exists():
        source = (run / CIRCUIT).read_text()
        text = "One of the circuits, with a single layer drawn. Qubit 0 is the top line."
        sections.append(Section(f"{name}: circuit", [Picture(source[source.index("<svg") :], text)], 3))
    sections.append(Section(f"{name}: config", [Details("All fields", [Code(json.dumps(config, indent=1))])], 3))
    return sections


def comparison(runs: list[tuple[str, Path]]) -> Section:
    """The distances of several runs during training in one chart."""
    found = [_distances(name, read_lines(run / "metrics.jsonl"), "fd", "derm") for name, run in runs]
    if series := [line for line in found if line[1]]:
        picture = figures.lines(series, SHOWN, "normalised Fréchet distance, derm", "normalised")
        block: Block = Picture(picture, f"Distance on the validation part during training: {SCALE}.")
    else:
        block = Text("No run was evaluated with a normalised Fréchet distance (derm) during training.", "note")
    return Section("Comparison of runs", [block])


def _distances(
    name: str, lines: list[Result], distance: str, extractor: str | None
) -> tuple[str, list[float], list[float]]:
    """A line for `figures.lines`: a normalised distance in each evaluation that has it, against thousands of images shown."""
    found = [
        (line["images"] / 1000, row.normalised)
        for line in lines
        if line["kind"] == "evaluate"
        for row in rows_from_json(line["rows"])
        if (row.class_name, row.distance, row.extractor) == (None, distance, extractor)
    ]
    known = [(x, y) for x, y in found if y is not None]
    return name, [x for x, _ in known], [y for _, y in known]


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
    settings = (
        f"clip {plan['clip']:g}, noise multiplier {plan['noise_multiplier']:.3g}, {plan['steps']:,} critic steps planned, "
        f"each on a Poisson sample at rate {plan['sampling_rate']:.3g} of {plan['lesions']:,} lesions"
    )
    cost = f"epsilon {at_most(spent)} of {plan['epsilon']:g} at delta {plan['delta']:g}, for each lesion"
    return [["privacy spent", cost], ["privacy settings", settings]]


def _pictures(run: Path, real: bool) -> list[Block]:
    samples = sorted((run / "samples").glob("*.png"))
    found: list[Block] = []
    if real and (run / BESIDE).exists():
        text = "One row for each class: real training images on the left, generated images on the right."
        found.append(png(run / BESIDE, text))
    if samples:
        text = f"Generated images by class after {int(samples[-1].stem.split('-')[1]):,} images shown."
        found.append(png(samples[-1], text))
    return found


def curves(lines: list[Result]) -> list[Picture]:
    """Charts of distances and losses against images shown, from the lines of a metrics.jsonl; each needs two points."""
    last: list[Any] = next((line["rows"] for line in reversed(lines) if line["kind"] == "evaluate"), [])
    extractors = dict.fromkeys(row.extractor for row in rows_from_json(last) if row.extractor != "laplacian")
    out: list[Picture] = []
    for kind, called in (("fd", "Fréchet"), ("kd", "kernel")):  # a small validation part has no Fréchet distance
        series = [_distances(str(extractor), lines, kind, extractor) for extractor in extractors]
        if distances := [line for line in series if len(line[1]) > 1]:
            picture = figures.lines(distances, SHOWN, f"normalised {called} distance", "normalised")
            out.append(Picture(picture, f"Distance by feature extractor on the validation part: {SCALE}."))
            break
    steps = [line for line in lines if line["kind"] == "train"]
    steps = steps[:: -(-len(steps) // MOST_POINTS) or 1]
    names = [key for key in ("loss/critic", "loss/generator") if len(steps) > 1 and key in steps[-1]]
    x = [line["images"] / 1000 for line in steps]
    losses = [(key.removeprefix("loss/"), x, [line[key] for line in steps]) for key in names]
    if losses:
        out.append(Picture(figures.lines(losses, SHOWN, "loss"), "Losses of the critic and the generator."))
    return out


def _metrics(title: str, run: Path, lines: list[Result], private: bool) -> Section:
    """The verdict on a run's images, the measures that it rests on, and all others folded."""
    evaluated = [line["rows"] for line in lines if line["kind"] == "evaluate"]
    result: Result = {}
    if (run / "evaluation.json").exists():
        result = read(run / "evaluation.json")
        rows, side = rows_from_json(result["metrics"]), "test"
    elif evaluated:
        rows, side = rows_from_json(evaluated[-1]), "validation"
    else:
        return Section(title, [Text("Not measured yet; run hqgan evaluate.", "note")], 3)
    verdict = verdict_of(rows)
    caption = (
        f"Generated images against real images of the {side} part. Distance: normalised kernel distance by feature extractor; "
        f"{SCALE}."
    )
    section = Section(title, [Table(HEAD, verdict.rows, caption)] if verdict.rows else [], 3)
    section.findings.append(
        Finding(f"Images, {title.partition(':')[0]} ({side} part)", verdict.sentence, verdict.level)
    )
    out: list[Any] = []
    if private:
        text = "These numbers were computed from real images and are not covered by the run's epsilon."
        section.blocks.append(Text(text, "warning"))
    overall = [row for row in rows if row.class_name is None]
    out.append(
        table_of(
            [{**vars(row), "label": row.label} for row in overall if row.value is not None],
            "metric | value | 95 % | real vs. real | PCA-Gaussian | normalised | N",
            "{label} | {value:.4g} | [{low:.3g}, {high:.3g}] | {real_reference:.3g} | {baseline:.3g} | {normalised:.3g} | {n:,}",
            f"Generated images against real images of the {side} part. Normalised: 0 is real vs. real (the best case), 1 the "
            "PCA-Gaussian baseline.",
        )
    )
    absent: dict[str | None, list[str]] = {}
    for row in overall:
        if row.value is None:
            absent.setdefault(row.reason, []).append(row.label)
    out += [Text(f"Not computed: {', '.join(names)} ({reason}).", "note") for reason, names in absent.items()]
    if by_class := _by_class(rows):
        out.append(by_class)
    if "geometry" in result:
        out += _geometry(result["geometry"])
    if "skin" in result:
        out += _skin(result["skin"])
    section.blocks.append(Details("All metrics, by class too", out))
    return section


def _by_class(rows: list[MetricRow]) -> Table | None:
    kernels = [row for row in rows if row.class_name is not None and row.distance == "kd"]
    if not kernels:
        return None
    classes = list(dict.fromkeys(str(row.class_name) for row in kernels))
    cells = []
    for extractor in dict.fromkeys(str(row.extractor) for row in kernels):
        own = {row.class_name: row.normalised for row in kernels if row.extractor == extractor}
        cells.append([extractor, *(cell("{:.2f}", own.get(c)) for c in classes)])
    caption = f"Normalised kernel distance by class: {SCALE}. -: too few images."
    return Table(["extractor", *classes], cells, caption)


def _geometry(found: Result) -> list[Text | Table | Picture]:
    series = [(row["of"], list(range(1, len(row["spectrum"]) + 1)), row["spectrum"]) for row in found["jacobian"]]
    picture = figures.lines(series, "singular value, largest first", "mean singular value", "log")
    paths = found["interpolation"]
    return [
        table_of(found["jacobian"], "derivative with respect to | effective rank | 95 % | largest possible | share",
                 "{of} | {effective_rank:.1f} | [{low:.1f}, {high:.1f}] | {dimensions} | {share:.0%}",
                 "Jacobian of the image: with respect to the whole latent, and through each branch alone. Share: of the "
                 "squared norms of both branches."),
        Picture(picture, "Singular values of the Jacobian: how many directions of the latent change the image, and how much."),
        Text(f"Interpolation between two latents of a class: the mean step is {paths['evenness']:.0%} of the largest (100 % is "
             f"perfectly even), and the path is {paths['detour']:.2f} times as long as the direct distance.", "note"),
    ]  # fmt: skip


def _skin(found: Result) -> list[Text | Table]:
    rows = [
        {**row, "class": row["class"] or "all", "difference": row["generated"] - row["real"]} for row in found["rows"]
    ]
    table = table_of(
        rows,
        "class | generated | real | difference | 95 %",
        "{class} | {generated:.0f} | {real:.0f} | {difference:+.0f} | [{low:+.0f}, {high:+.0f}]",
        "Skin tone: individual typology angle at the borders of the images, median in degrees. Higher is lighter.",
    )
    return [table, Text(found["warning"], "warning")]


def audit_section(folder: Path, name: str, real: bool) -> Section:
    """The verdict of an audit, its tests, membership attacks and the closest pairs.

    Args:
        folder: of the audit: its ``audit.json`` and its picture.
        name: of the run or folder that was audited.
        real: whether to include the picture of the closest pairs, which shows real images.
    """
    found = read(folder / "audit.json")
    level: Any = "bad" if found.get("verdict") == "copies" else "unclear" if found.get("warnings") else "good"
    section = Section(f"Copying audit: {name}", findings=[Finding(f"Copying, {name}", found["sentence"], level)])
    if not found["verified"]:
        text = "Unverified: it is not known whether the generator of these images was trained on this split."
        section.blocks.append(Text(text, "warning"))
    if found.get("private"):
        text = "These tests were computed from real images and are not covered by the run's epsilon."
        section.blocks.append(Text(text, "warning"))
    memory = [{**vars(row), "label": row.label} for row in rows_from_json(found["memory"]) if row.value is not None]
    flagged = flagged_counts(found)
    tests = [
        Table(
            nearest_head(found),
            nearest_rows(found),
            f"Share of generated images whose nearest real image is a training image. {NEAREST_CAPTION}",
        ),
        table_of(
            [{"control_p_value": None, **row} for row in found["membership"]],
            "membership attack | AUROC | p | control | p of control | images",
            "{attack} | {auroc:.3f} | {p_value:.2g} | {control_auroc:.3f} | {control_p_value:.2g} | {n:,}",
            "How well training images are distinguished from held-out ones; guessing gives 0.5. Control: two sets of training "
            "images.",
        ),
        Table(
            ["memorisation", "value", "real vs. real", "N"],
            [
                [cell(form, **row) for form in ("{label}", "{value:.3g}", "{real_reference:.3g}", "{n:,}")]
                for row in memory
            ]
            + [[name, f"{count:,}", "-", cell("{:,}", found.get("generated"))] for name, count in flagged.items()],
        ),
    ]
    section.blocks.append(Details("Nearest images, membership attacks, memorisation", tests))
    if found["flagged"]:
        text = f"{len(found['flagged']):,} images are flagged as possible copies; flagged.csv lists them."
        section.blocks.append(Text(text, "note"))
    picture = folder / "closest-pairs.png"
    if real and picture.exists():
        text = "The closest pairs, closest first: generated image, nearest training image, nearest held-out image."
        section.blocks.append(png(picture, text))
    return section
