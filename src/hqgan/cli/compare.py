"""`hqgan compare`: generators side by side under one budget."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hqgan.cli.options import (
    DATA,
    MODEL,
    OUTPUT,
    BatchOption,
    ClassesOption,
    DeviceOption,
    DownloadOption,
    ExperimentFolderOption,
    JsonOption,
    KimgOption,
    LabelOption,
    Lists,
    MergeOption,
    PretrainedOption,
    ProtocolOption,
    SeedsOption,
    SetOption,
    SizeOption,
    given_fields,
    pairs,
    preset_names,
    selection_fields,
)
from hqgan.cli.output import show, write_json
from hqgan.cli.progress import Terminal
from hqgan.errors import UserError

app = typer.Typer()


@app.command(cls=Lists)
def compare(
    out: ExperimentFolderOption = Path("runs/compare"),
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="FOLDER ...",
            help="Folders or archives of data sets, or demo for procedural lesions. (default: demo)",
            rich_help_panel=DATA,
        ),
    ] = None,
    size: SizeOption = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    images: Annotated[
        int | None,
        typer.Option(
            "--images", min=20, help="Number of test images to compare with. (default: all)", rich_help_panel=DATA
        ),
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--presets",
            metavar="PRESET ...",
            help="Generators to compare: PRESET, PRESET:FIELD=VALUE or PRESET@BACKEND,SHOTS. The first is tested against "
            "each of the others. (default: hqgan hqgan-mlp dcgan)",
            autocompletion=preset_names,
            rich_help_panel=MODEL,
        ),
    ] = None,
    seeds: SeedsOption = None,
    kimg: KimgOption = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            min=1,
            help="Length of training as seconds on this machine, instead of --kimg.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    batch: BatchOption = None,
    study: Annotated[
        bool,
        typer.Option("--study", help="Also run `hqgan study` with these generators.", rich_help_panel=MODEL),
    ] = False,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            help="Settings of one of the paper's tables: paper-quality, paper-study or paper-hardware.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    small: Annotated[
        bool,
        typer.Option("--small", help="Run the suite at a size that two cores can do.", rich_help_panel=MODEL),
    ] = False,
    weights: PretrainedOption = None,
    download: DownloadOption = False,
    device: DeviceOption = None,
    set_: SetOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print how many hours it would take, and stop.", rich_help_panel=OUTPUT),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Compare generators trained under one budget.

    How close are their images to real ones, at what cost, and does the quantum part help? The same command continues a
    comparison that was stopped.
    """
    from hqgan import config as configs
    from hqgan.data.cache import cache_folder
    from hqgan.experiments import compare as comparisons
    from hqgan.experiments.compare.results import as_json
    from hqgan.experiments.compare.table import hours_table, result_table
    from hqgan.experiments.study.results import from_json
    from hqgan.experiments.study.table import table as study_table
    from hqgan.metrics.extractors.pretrained import PretrainedNetworks
    from hqgan.report.write import write_comparison, write_study
    from hqgan.training.loop import Interrupted

    if kimg is not None and seconds is not None:
        raise UserError("--kimg and --seconds are two budgets; give one of them.")
    if small and suite is None:
        raise UserError("--small is a size of a --suite; name one, or leave it out.")
    settings = comparisons.suite(suite, small) if suite else comparisons.Settings()
    given: dict[str, Any] = {
        "data": tuple(dict.fromkeys(data or [])), "contestants": tuple(dict.fromkeys(presets or [])), "seeds": seeds,
        "kimg": kimg, "size": size, "images": images, "device": device,
    }  # fmt: skip
    settings = replace(settings, **{k: v for k, v in given.items() if v})
    changes = selection_fields(classes, merge, protocol, label) | given_fields(training__batch=batch)
    settings = replace(settings, changes=settings.changes | changes | configs.parse_assignments(set_ or []))
    if seconds is not None:
        settings = replace(settings, seconds=seconds, kimg=None)
    if study and settings.study is None:
        settings = replace(settings, study={})
    if settings.size not in (32, 64):
        raise UserError(
            f"A comparison's images have 32 or 64 pixels, not {settings.size}; choose one of them by --size."
        )
    if dry_run:
        rows = comparisons.hours(settings, out)
        write_json(json_file, [asdict(row) for row in rows])
        show(*hours_table(rows))
        return
    files = {name: Path(path) for name, path in pairs("--weights", weights)}
    with Terminal() as reporter:
        borrowed = PretrainedNetworks(files, cache_folder(None), download, reporter)
        try:
            result = comparisons.compare(settings, out, borrowed=borrowed, reporter=reporter)
        except (Interrupted, KeyboardInterrupt):
            reporter.message(f"Stopped. Continue with the same command; what is finished is in {out}.")
            raise typer.Exit(130) from None
    write_comparison(out / "compare.json", out / "compare.html")
    write_json(json_file, as_json(result))
    show(*result_table(result))
    for one in result.data if settings.study is not None else []:
        folder = out / "study" / one.folder
        write_study(folder / "study.json", folder / "study.html")
        show(*study_table(from_json(json.loads((folder / "study.json").read_text()))))
        print(f"The study's page is {folder / 'study.html'}.")
    print(f"The page is {out / 'compare.html'}, the numbers are in {out / 'compare.json'}.")
