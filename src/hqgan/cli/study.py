"""`hqgan study`: whether generated images help a classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from hqgan.cli.options import (
    ADVANCED,
    DATA,
    MODEL,
    ClassesOption,
    DataOption,
    DeviceOption,
    ExperimentFolderOption,
    JsonOption,
    KimgOption,
    LabelOption,
    Lists,
    MergeOption,
    ProtocolOption,
    SeedsOption,
    SizeOption,
    numbers,
    pairs,
    selection_of,
    split,
)
from hqgan.cli.output import show, write_json
from hqgan.cli.progress import Terminal
from hqgan.runtime.processes import current_shard

app = typer.Typer()


@app.command(cls=Lists)
def study(
    out: ExperimentFolderOption,
    data: DataOption = None,
    size: SizeOption = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    real_fraction: Annotated[
        list[str] | None,
        typer.Option(
            "--real-fraction",
            metavar="SHARE ...",
            help="Share of the training lesions that is used; each share is a study of its own. (default: 1)",
            rich_help_panel=DATA,
        ),
    ] = None,
    seeds: SeedsOption = None,
    generators: Annotated[
        list[str] | None,
        typer.Option(
            "--generators",
            metavar="PRESET ...",
            help="Presets to train, and pca-gaussian for the simple baseline. (default: hqgan dcgan pca-gaussian)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="PATH ...",
            help="Trained runs, or folders with one sub-folder of images per class, to study, too.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    kimg: KimgOption = None,
    fill: Annotated[
        list[str] | None,
        typer.Option(
            "--fill",
            metavar="CLASS ...",
            help="Classes to which generated images are added. (default: those below a quarter of the average class size)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    uses: Annotated[
        list[str] | None,
        typer.Option(
            "--uses",
            metavar="USE ...",
            help="Uses of generated images: mixed, balanced-mix, classifier-filtered, density-filtered, pretrain, only. "
            "(default: all)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    ratios: Annotated[
        list[str] | None,
        typer.Option(
            "--ratios",
            metavar="SHARE ...",
            help="Share of generated images in arm 'mixed'; 1 fills a class to the average class size. "
            "(default: 0.1 0.5 1 2)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    classifiers: Annotated[
        list[str] | None,
        typer.Option(
            "--classifiers",
            metavar="NAME ...",
            help="Classifiers to train from scratch: small, resnet18, vit-small. (default: small)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            metavar="NAME=FILE ...",
            help="Pretrained weights of a classifier, a .safetensors file, from which it is fine-tuned, too.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=10, help="Training steps of each classifier. (default: 600)", rich_help_panel=MODEL
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", min=1, max=64, help="Number of classifiers to train at the same time.", rich_help_panel=ADVANCED
        ),
    ] = 1,
    device: DeviceOption = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A study of minutes: at most two seeds, a small generator, few arms.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Measure whether generated images help a classifier on held-out real images.

    Every arm trains for the same number of steps. The same command continues a study that was stopped.
    """
    from hqgan.experiments import study as studies
    from hqgan.experiments.study.results import as_json
    from hqgan.experiments.study.table import table
    from hqgan.report.write import write_study
    from hqgan.training.loop import Interrupted

    choice = selection_of(classes, merge, protocol, label)
    settings = studies.Settings(
        data or "demo", kimg=kimg, steps=steps, jobs=jobs, device=device or "auto", choice=choice
    )
    if size is not None:
        settings = replace(settings, size=size)
    if quick:
        settings = studies.quick(settings)
    lists: dict[str, Any] = {
        "seeds": range(seeds or 0), "generators": split(generators), "given": given, "fill": split(fill),
        "uses": split(uses), "ratios": numbers(ratios or [], "--ratios"), "classifiers": split(classifiers),
        "fractions": numbers(real_fraction or [], "--real-fraction", 1),
    }  # fmt: skip
    given_lists: dict[str, Any] = {name: tuple(dict.fromkeys(values)) for name, values in lists.items() if values}
    settings = replace(settings, **given_lists, weights=tuple(pairs("--weights", weights)))
    with Terminal() as reporter:
        try:
            result = studies.study(settings, out, reporter=reporter, share=current_shard())
        except (Interrupted, KeyboardInterrupt):
            reporter.message(f"Stopped. Continue with the same command; what is finished is in {out}.")
            raise typer.Exit(130) from None
    if result is None:
        reporter.message("the seeds of this process are done; the process that ends last writes the summary")
        return
    write_study(out / "study.json", out / "study.html")
    write_json(json_file, as_json(result))
    show(*table(result))
    print(f"The page is {out / 'study.html'}, the numbers are in {out / 'study.json'}.")
