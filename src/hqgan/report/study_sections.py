"""The sections of a study's report."""

from __future__ import annotations

from pathlib import Path

from hqgan.experiments.compare.results import DataResult
from hqgan.experiments.splits import DataInfo
from hqgan.experiments.statistics import Estimate
from hqgan.experiments.study.results import ArmRow, Family, StudyResult
from hqgan.report import figures
from hqgan.report.blocks import Block, Finding, Picture, Section, Table, Text, png
from hqgan.report.figures import ForestRow
from hqgan.types import UNCOVERED
from hqgan.wording import cell, plural


def study_sections(result: StudyResult, folder: Path) -> list[Section]:
    """Findings, arms, sources of images, pictures and protocol of one study.

    Args:
        result: of the study.
        folder: the study's, for its pictures.
    """
    sections = [findings("Findings", result)]
    for family in result.best_classical:
        sections.append(Section(f"Results: {family.classifier}{family.part}", _arms(result, family)))
    return [*sections, _sources(result, folder), _protocol(result)]


def findings(title: str, result: StudyResult | DataResult) -> Section:
    """What a study, or a comparison on one data set, found."""
    warnings = [Text(UNCOVERED, "warning")] if result.private else []
    return Section(title, [*warnings], findings=[Finding(title, " ".join(result.sentences))])


def source_of(data: DataInfo) -> Text:
    """Where the images come from."""
    return Text(f"Data: {data.name}; licence: {data.licence}; fingerprint {data.fingerprint[:16]}.", "note")


def _arms(result: StudyResult, family: Family) -> list[Block]:
    rows, best, rare = result.arms_of(family), family.name, result.rare
    top = next(r for r in rows if r.name == best)
    plain = next(r for r in rows if r.name == "real")
    marks = [("real only", plain.mean), ("best classical", top.mean)]
    if abs(top.mean - plain.mean) < 0.03:
        marks = marks[1:]  # their labels would overlap
    accuracy = [ForestRow(r.name, r.mean, r.low, r.high, r.generator) for r in rows]
    by_recall = [_rare_recall(r, rare) for r in rows]
    return [
        Picture(
            figures.forest(accuracy, marks, "balanced accuracy on real test images"),
            f"Balanced accuracy by arm, mean of {plural(len(top.seeds), 'seed')} with 95 % intervals over seeds and lesions. "
            "Grey: arms without generated images.",
        ),
        Table(
            ["arm", "balanced accuracy", "95 %", "accuracy", "AUROC", "calibration error", *(f"recall {c}" for c in rare),
             *(f"difference from {name} (p)" for name in dict.fromkeys(("real", best)))],
            [_row(r, rare, best) for r in rows],
            "Bold: the best arm without generated images. p-values are two-sided, from a paired hierarchical bootstrap, and "
            "corrected for the number of arms by Holm's method.",
            strong=[i for i, r in enumerate(rows) if r.name == best],
        ),
        Picture(
            figures.forest(by_recall, [], f"mean recall of {', '.join(rare)}"),
            "Recall of the rare classes, with intervals averaged over these classes. A higher recall can come at the cost of the "
            "common classes.",
        ),
    ]  # fmt: skip


def _rare_recall(row: ArmRow, rare: list[str]) -> ForestRow:
    known = [e for c in rare if (e := row.recall[c]).mean is not None]
    mean, low, high = (sum(getattr(e, key) for e in known) / max(len(known), 1) for key in ("mean", "low", "high"))
    return ForestRow(row.name, mean, low, high, row.generator)


def _row(r: ArmRow, rare: list[str], best: str) -> list[str]:
    recall = [r.recall[c].mean for c in rare]
    from_best = _difference(r.difference_from_best_classical, r.p_value_against_best_classical)
    return [
        r.name,
        cell("{:.3f}", r.mean),
        cell("[{:.3f}, {:.3f}]", r.low, r.high),
        *(cell("{:.3f}", value) for value in (r.accuracy, r.auroc, r.calibration_error)),
        *(cell("{:.2f}", value) for value in recall),
        _difference(r.difference_from_real_only, r.p_value_against_real_only),
        *([] if best == "real" else [from_best]),
    ]


def _difference(found: Estimate, p: float | None) -> str:
    return cell("{:+.3f} ({:.2g})", found.mean, p)


def _sources(result: StudyResult, folder: Path) -> Section:
    section = Section("Sources of generated images")
    rows = []
    for g in result.generators:
        seen = "training part only" if g.verified else "not known"
        rows.append([g.name, cell("{:,}", g.parameters), cell("{:.1f}", g.epochs), seen])
    section.blocks.append(Table(["source", "parameters", "epochs", "real images seen"], rows))
    if not all(g.verified for g in result.generators):
        section.blocks.append(
            Text("Not known: the generator of a folder of images may have seen test images.", "warning")
        )
    for g in result.generators:
        pictures = sorted((folder / "pictures").glob(f"{g.name}-seed*.png"))
        if pictures:
            seed = pictures[0].stem.rsplit("-seed")[-1]
            section.blocks.append(png(pictures[0], f"Images of {g.name} by class, seed {seed}."))
    return section


def _protocol(result: StudyResult) -> Section:
    settings, data = result.settings, result.data
    uses = dict.fromkeys((r.use, r.text) for r in result.arms)
    steps = ", ".join(dict.fromkeys(f"{family.classifier} {family.steps}" for family in result.best_classical))
    return Section(
        "Protocol",
        [
            Text(
                f"For each seed ({', '.join(map(str, settings['seeds']))}) the lesions are split at random within each "
                "class: 70 % for training, 10 % for validation and 20 % for testing. All images of a lesion are on one side. "
                "Generators, filters and classifiers use the training part only, and the study stops if an image is a copy of a "
                f"test image. The classifiers of all arms start from the same weights and take the same number of steps "
                f"({steps}) with the same batch size. Their final weights are tested; no checkpoint is selected."
            ),
            Text(
                f"Images by class in the training/test part of the first seed: {data.counts}. The mean class size is "
                f'{data.balance} images; ratio 1 ("balance") fills the rare classes to it.'
            ),
            Table(["arm", "what the classifier is trained on"], [[a, b] for a, b in uses], prose=True),
            Text(
                "Intervals and p-values come from a bootstrap that draws seeds, and the lesions of each class, with replacement; "
                "all arms share the draws. They hold for other seeds and lesions of this kind, not for other clinics. The best "
                "classical arm is the one with the highest mean on the same test images, which favours it. Circuits that were "
                "simulated on a classical computer should be called quantum-inspired.",
                "note",
            ),
            source_of(data),
        ],
    )
