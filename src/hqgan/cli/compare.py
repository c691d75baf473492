"""`hqgan compare`: generators side by side under one budget."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hqgan.cli.console import bar, pairs, say, show, training_progress, write_json
from hqgan.cli.options import (
    ClassesOption,
    JsonOption,
    LabelOption,
    Lists,
    MergeOption,
    ProtocolOption,
    choice_changes,
    preset_names,
)
from hqgan.errors import UserError

app = typer.Typer()


@app.command(cls=Lists)
def compare(
    out: Annotated[Path, typer.Option("--out", help="The comparison's folder; what is finished in it is kept.")] = Path(
        "runs/compare"
    ),
    data: Annotated[
        list[str] | None, typer.Option("--data", help="Data sets' folders, or demo. (default: demo)")
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--presets",
            help="PRESET, PRESET:FIELD=VALUE or PRESET@BACKEND,SHOTS; the first is tested against each of the others. "
            "(default: hqgan hqgan-mlp dcgan)",
            autocompletion=preset_names,
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="How many: each a split, first weights and noise. (default: 3)")
    ] = None,
    kimg: Annotated[
        float | None, typer.Option("--kimg", min=0.001, help="Budget: thousands of images. (default: the preset's)")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1, help="Budget: seconds of training on this machine, instead.")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="Side of the images in pixels, 32 or 64.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any field, for all: training.batch=32")] = None,
    images: Annotated[
        int | None, typer.Option("--images", min=20, help="Of the test part that are compared. (default: all)")
    ] = None,
    study: Annotated[bool, typer.Option("--study", help="The augmentation study with these generators, too.")] = False,
    suite: Annotated[
        str | None, typer.Option("--suite", help="A table of the paper: paper-quality, paper-study, paper-hardware.")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="The suite at a size for two cores.")] = False,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="NAME=FILE of inception, dinov2 or alexnet (for LPIPS).")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch such weights where no file is given.")] = False,
    device: Annotated[str | None, typer.Option("--device", help="On which they train. (default: auto)")] = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Estimate the hours and stop.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Which generator is nearest to real images, at what cost, and does the quantum part matter? Goes on where it stopped."""
    from hqgan import config as configs
    from hqgan.data.cache import cache_folder
    from hqgan.experiments import compare as comparisons
    from hqgan.experiments.compare.results import as_json
    from hqgan.experiments.compare.table import hours_table, result_table
    from hqgan.experiments.study.results import from_json
    from hqgan.experiments.study.table import table as study_table
    from hqgan.metrics.extractors.pretrained import Borrowed
    from hqgan.report.page import write_comparison, write_study
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
    changes = choice_changes(classes, merge, protocol, label) | configs.parse_assignments(set_ or [])
    settings = replace(settings, changes=settings.changes | changes)
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
    files = {name: Path(path) for name, path in pairs("--weights", weights or [])}
    borrowed = Borrowed(files, cache_folder(None), download, say)
    with training_progress() as (on_data, on_step), bar("arms", "arms") as on_arm:
        try:
            result = comparisons.compare(
                settings, out, borrowed=borrowed, say=say, on_data=on_data, on_step=on_step, on_arm=on_arm
            )
        except (Interrupted, KeyboardInterrupt):
            say(f"Stopped. Go on with the same command; what is finished is in {out}.")
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
