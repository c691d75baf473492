"""The sections of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hqgan.report import figures
from hqgan.report.blocks import Block, Picture, Section, Table, Text, png
from hqgan.types import UNCOVERED
from hqgan.wording import plural

Result = dict[str, Any]


def study_sections(result: Result, folder: Path) -> list[Section]:
    """Findings, arms, generators, pictures and protocol of one study.

    Args:
        result: what ``study.json`` holds.
        folder: the study's, for its pictures.
    """
    found = Section("What was found", [Text(text, "finding") for text in result["sentences"]])
    if any(g.get("private") for g in result["generators"]):
        found.blocks.append(Text(UNCOVERED, "warning"))
    sections = [found]
    for place in result["best_classical"]:
        rows = [r for r in result["arms"] if all(r[k] == place[k] for k in ("classifier", "fraction"))]
        title = f"Arms: {place['classifier']}"
        if place["fraction"] != 1:
            title += f", {place['fraction']:.0%} of the training part"
        sections.append(Section(title, _arms(rows, place["name"], result["rare"])))
    sections.append(_generators(result, folder))
    sections.append(_protocol(result))
    return sections


def _arms(rows: list[Result], best: str, rare: list[str]) -> list[Block]:
    top = next(r for r in rows if r["name"] == best)
    plain = next(r for r in rows if r["name"] == "real")
    marks = [("real only", plain["mean"]), ("best classical", top["mean"])]
    if abs(top["mean"] - plain["mean"]) < 0.03:
        marks = marks[1:]  # their names would lie on each other
    picture = figures.forest(
        [{**r, "group": r["generator"]} for r in rows], marks, "balanced accuracy on real test images"
    )
    seeds = len(top["seeds"])
    by_recall = [{"name": r["name"], "group": r["generator"], **_mean_of(r, rare)} for r in rows]
    return [
        Picture(picture, f"Balanced accuracy, mean of {plural(seeds, 'seed')}; 95 % intervals over seeds and lesions."),
        Table(
            ["arm", "balanced accuracy", "95 %", "accuracy", "AUROC", "calibration error", *(f"recall {c}" for c in rare),
             "from real only (p)", f"from {best} (p)"],
            [_row(r, rare) for r in rows],
            "p-values are two-sided, by paired hierarchical bootstrap, corrected by Holm's method for the number of arms.",
            strong=[i for i, r in enumerate(rows) if r["name"] == best],
        ),
        Picture(
            figures.forest(by_recall, [], f"mean recall of {', '.join(rare)}"),
            "Recall of the rare classes alone, intervals averaged over them; more of it can cost the common ones.",
        ),
    ]  # fmt: skip


def _mean_of(row: Result, rare: list[str]) -> dict[str, float]:
    known = [row["recall"][c] for c in rare if row["recall"][c]["mean"] is not None]
    return {key: sum(r[key] for r in known) / max(len(known), 1) for key in ("mean", "low", "high")}


def _row(r: Result, rare: list[str]) -> list[str]:
    cells = [r["name"], f"{r['mean']:.3f}", f"{r['low']:.3f} to {r['high']:.3f}"]
    cells += [f"{r[k]:.3f}" for k in ("accuracy", "auroc", "calibration_error")]
    cells += ["-" if r["recall"][c]["mean"] is None else f"{r['recall'][c]['mean']:.2f}" for c in rare]
    for key in ("real_only", "best_classical"):
        p = r[f"p_value_against_{key}"]
        cells.append("" if p is None else f"{r[f'difference_from_{key}']['mean']:+.3f} ({p:.2g})")
    return cells


def _generators(result: Result, folder: Path) -> Section:
    section = Section("Where the generated images come from")
    rows = []
    for g in result["generators"]:
        parameters = "" if g["parameters"] is None else f"{g['parameters']:,}"
        epochs = "" if g["epochs"] is None else f"{g['epochs']:.1f}"
        verified = "training part only" if g["verified"] else "unverified"
        rows.append([g["name"], parameters, epochs, verified])
    section.blocks.append(Table(["source", "parameters", "epochs", "has seen"], rows))
    if not all(g["verified"] for g in result["generators"]):
        section.blocks.append(
            Text("Unverified: nothing shows that a folder's images were not made from test images.", "warning")
        )
    for g in result["generators"]:
        pictures = sorted((folder / "pictures").glob(f"{g['name']}-seed*.png"))
        if pictures:
            section.blocks.append(
                png(pictures[0], f"The first images of {g['name']}, {pictures[0].stem.rsplit('-')[-1]}.")
            )
    return section


def _protocol(result: Result) -> Section:
    settings, data = result["settings"], result["data"]
    counts = ", ".join(
        f"{name} {a}/{b}"
        for name, a, b in zip(data["classes"], data["training_images"], data["test_images"], strict=True)
    )
    uses = dict.fromkeys((r["use"], r["text"]) for r in result["arms"])
    steps = ", ".join(dict.fromkeys(f"{place['classifier']} {place['steps']}" for place in result["best_classical"]))
    return Section(
        "Protocol",
        [
            Text(
                f"For each of the seeds {', '.join(map(str, settings['seeds']))}: 70 % of the lesions train, 10 % validate, "
                "20 % test, stratified, all images of one lesion on one side. Generators, filters and classifiers see the "
                "training part alone; copies of test images among the others stop the study. Every arm's classifier takes "
                f"the same steps ({steps}) of the same size from the same first weights, and its last weights are tested: "
                "nothing is chosen."
            ),
            Text(
                f"Images by class, training/test part of the first seed: {counts}. Balance is {data['balance']} images a class."
            ),
            Table(["arm", "what the classifier is shown"], [[a, b] for a, b in uses], prose=True),
            Text(
                "Intervals and p-values: seeds are drawn with replacement, and lesions class by class; all arms share a draw. "
                "They speak of other seeds and lesions like these, not of other clinics. The best classical arm is chosen by "
                "its mean on the same test images, which favours it. Where a simulator ran the circuits, quantum-inspired is "
                "the honest word.",
                "note",
            ),
            Text(f"Data: {data['name']}, licence: {data['licence']}; fingerprint {data['fingerprint'][:16]}.", "note"),
        ],
    )
