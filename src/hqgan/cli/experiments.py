"""`hqgan study` and `hqgan compare`: whether generated images help a classifier; generators under one budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hqgan.cli import options
from hqgan.cli.continuing import continuing
from hqgan.cli.options import ADVANCED, DATA, MODEL, OUTPUT, Lists, numbers, option, several, split
from hqgan.cli.output import show, show_result
from hqgan.errors import UserError
from hqgan.reporter import Reporter, Terminal
from hqgan.runtime.processes import current_shard

app = typer.Typer()

FRACTION_HELP = "Share of the training lesions that is used; each share is a study of its own. (default: 1)"
GENERATORS_HELP = "Presets to train, and pca-gaussian for the simple baseline. (default: hqgan dcgan pca-gaussian)"
GIVEN_HELP = "Trained runs, or folders with one sub-folder of images per class, to study, too."
FILL_HELP = "Classes to which generated images are added. (default: those below a quarter of the average class size)"
USES_HELP = (
    "Uses of generated images: mixed, balanced-mix, classifier-filtered, density-filtered, pretrain, only. "
    "(default: all)"
)
RATIOS_HELP = (
    "Share of generated images in arm 'mixed'; 1 fills a class to the average class size. (default: 0.1 0.5 1 2)"
)
CLASSIFIERS_HELP = "Classifiers to train from scratch: small, resnet18, vit-small. (default: small)"
FINE_TUNED_HELP = "Pretrained weights of a classifier, a .safetensors file, from which it is fine-tuned, too."
QUICK_HELP = "A study that takes a few minutes: at most two seeds, a small generator, few arms."

SETS_HELP = "Folders or archives of data sets, or demo for procedural lesions. (default: demo)"
PRESETS_HELP = (
    "Generators to compare: PRESET, PRESET:FIELD=VALUE or PRESET@BACKEND,SHOTS. The first is tested against each of the "
    "others. (default: hqgan hqgan-mlp dcgan)"
)
SECONDS_HELP = "Length of training as seconds on this machine, instead of --kimg."
SUITE_HELP = "Settings of one of the paper's tables: paper-quality, paper-study or paper-hardware."


@app.command(cls=Lists)
def study(
    out: options.ExperimentFolder,
    data: options.Data = None,
    size: options.Size = None,
    classes: options.Classes = None,
    merge: options.Merge = None,
    protocol: options.Protocol = None,
    label: options.Label = None,
    table: options.Table = None,
    image_column: options.ImageColumn = None,
    label_column: options.LabelColumn = None,
    group_column: options.GroupColumn = None,
    groups: options.Groups = None,
    real_fraction: Annotated[list[str] | None, several(DATA, "SHARE", FRACTION_HELP)] = None,
    seeds: options.Seeds = None,
    generators: Annotated[list[str] | None, several(MODEL, "PRESET", GENERATORS_HELP)] = None,
    given: Annotated[list[str] | None, several(MODEL, "PATH", GIVEN_HELP)] = None,
    kimg: options.Kimg = None,
    fill: Annotated[list[str] | None, several(MODEL, "CLASS", FILL_HELP)] = None,
    uses: Annotated[list[str] | None, several(MODEL, "USE", USES_HELP)] = None,
    ratios: Annotated[list[str] | None, several(MODEL, "SHARE", RATIOS_HELP)] = None,
    classifiers: Annotated[list[str] | None, several(MODEL, "NAME", CLASSIFIERS_HELP)] = None,
    weights: Annotated[list[str] | None, several(ADVANCED, "NAME=FILE", FINE_TUNED_HELP)] = None,
    steps: Annotated[int | None, option(MODEL, "Training steps of each classifier. (default: 600)", min=10)] = None,
    jobs: Annotated[int, option(ADVANCED, "Number of classifiers to train at the same time.", min=1, max=64)] = 1,
    device: options.Device = None,
    quick: Annotated[bool, option(ADVANCED, QUICK_HELP, "--quick")] = False,
    json_file: options.Json = None,
) -> None:
    """Measure whether generated images help a classifier on held-out real images.

    Every arm trains for the same number of steps. The same command continues a study that was stopped.
    """
    from hqgan.experiments import study as studies
    from hqgan.experiments.study.results import as_json
    from hqgan.experiments.tables import study_tables
    from hqgan.report.write import write_study

    data = options.folder_of(data, table)
    selected = options.selection_fields(
        classes, merge, protocol, label, table, image_column, label_column, group_column, groups
    )
    choice = options.selection_of(selected, data)
    single = options.given_fields(size=size, kimg=kimg, steps=steps, device=device)
    settings = studies.Settings(data or "demo", jobs=jobs, choice=choice, **single)
    if quick:
        settings = studies.quick(settings)
    lists: dict[str, Any] = {
        "seeds": range(seeds or 0), "generators": split(generators), "given": given, "uses": split(uses),
        "fill": options.classes_in(fill, choice, data), "ratios": numbers(ratios or [], "--ratios"),
        "classifiers": split(classifiers), "fractions": numbers(real_fraction or [], "--real-fraction", 1),
    }  # fmt: skip
    given_lists: dict[str, Any] = {name: tuple(dict.fromkeys(values)) for name, values in lists.items() if values}
    settings = replace(settings, **given_lists, weights=tuple(options.pairs("--weights", weights)))
    with _stoppable(out) as reporter:
        result = studies.study(settings, out, reporter=reporter, share=current_shard())
    if result is None:
        reporter.message("the seeds of this process are done; the process that ends last writes the summary")
        return
    write_study(out / "study.json", out / "study.html")
    show_result(json_file, as_json(result), *study_tables(result))
    print(f"The page is {out / 'study.html'}, the numbers are in {out / 'study.json'}.")


@app.command(cls=Lists)
def compare(
    out: options.ExperimentFolder = Path("runs/compare"),
    data: Annotated[list[str] | None, several(DATA, "FOLDER", SETS_HELP)] = None,
    size: options.Size = None,
    classes: options.Classes = None,
    merge: options.Merge = None,
    protocol: options.Protocol = None,
    label: options.Label = None,
    table: options.Table = None,
    image_column: options.ImageColumn = None,
    label_column: options.LabelColumn = None,
    group_column: options.GroupColumn = None,
    groups: options.Groups = None,
    images: Annotated[int | None, option(DATA, "Number of test images to compare with. (default: all)", min=20)] = None,
    presets: Annotated[
        list[str] | None, several(MODEL, "PRESET", PRESETS_HELP, autocompletion=options.preset_names)
    ] = None,
    seeds: options.Seeds = None,
    kimg: options.Kimg = None,
    seconds: Annotated[float | None, option(MODEL, SECONDS_HELP, min=1)] = None,
    batch: options.Batch = None,
    study: Annotated[bool, option(MODEL, "Also run `hqgan study` with these generators.", "--study")] = False,
    suite: Annotated[str | None, option(MODEL, SUITE_HELP)] = None,
    small: Annotated[bool, option(MODEL, "Run the suite at a size that two cores can do.", "--small")] = False,
    weights: options.Pretrained = None,
    download: options.Download = False,
    device: options.Device = None,
    set_: options.Set = None,
    dry_run: Annotated[bool, option(OUTPUT, "Print how many hours it would take, and stop.", "--dry-run")] = False,
    json_file: options.Json = None,
) -> None:
    """Compare generators trained under one budget.

    How close are their images to real ones, at what cost, and does the quantum part help? The same command continues a
    comparison that was stopped.
    """
    from hqgan import config as configs
    from hqgan.data.cache import cache_folder
    from hqgan.experiments import compare as comparisons
    from hqgan.experiments.compare.results import as_json
    from hqgan.experiments.study.results import from_json
    from hqgan.experiments.tables import comparison_tables, hours_table, study_tables
    from hqgan.metrics.extractors.pretrained import PretrainedNetworks
    from hqgan.report.write import write_comparison, write_study

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
    if table is not None and not data:
        settings = replace(settings, data=(str(options.folder_of(None, table)),))
    selected = options.selection_fields(
        classes, merge, protocol, label, table, image_column, label_column, group_column, groups
    )
    changes = options.with_class_names(selected, settings.data[0]) | options.given_fields(training__batch=batch)
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
        with Terminal() as reporter:
            rows = comparisons.hours(settings, out, reporter)
        show_result(json_file, [asdict(row) for row in rows], *hours_table(rows))
        return
    files = {name: Path(path) for name, path in options.pairs("--weights", weights)}
    with _stoppable(out) as reporter:
        borrowed = PretrainedNetworks(files, cache_folder(None), download, reporter)
        result = comparisons.compare(settings, out, borrowed=borrowed, reporter=reporter)
    write_comparison(out / "compare.json", out / "compare.html")
    show_result(json_file, as_json(result), *comparison_tables(result))
    for one in result.data if settings.study is not None else []:
        folder = out / "study" / one.folder
        write_study(folder / "study.json", folder / "study.html")
        show(*study_tables(from_json(json.loads((folder / "study.json").read_text()))))
        print(f"The study's page is {folder / 'study.html'}.")
    print(f"The page is {out / 'compare.html'}, the numbers are in {out / 'compare.json'}.")


@contextmanager
def _stoppable(out: Path) -> Iterator[Reporter]:
    """A reporter for an experiment; when the work is stopped, it says how to continue."""
    from hqgan.training.loop import Interrupted

    with Terminal() as reporter:
        try:
            yield reporter
        except (Interrupted, KeyboardInterrupt):
            line = continuing(out) or "the same command"
            reporter.message(f"Stopped; what is finished is in {out}. This continues it: {line}")
            raise typer.Exit(130) from None
