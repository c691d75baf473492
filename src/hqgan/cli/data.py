"""`hqgan data`: look at a data set, or fetch one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli import options
from hqgan.cli.options import DATA, OUTPUT, Lists, option, seed_of
from hqgan.cli.output import show_result
from hqgan.reporter import Terminal
from hqgan.runtime.processes import current_shard, only_process

app = typer.Typer(name="data", help="Look at a data set, or download one.", no_args_is_help=True)

PATH_HELP = "Folder or archive of the data set, or demo for procedural lesions."
NAME_HELP = (
    "Data set of MedMNIST, such as dermamnist or retinamnist. For the other data sets that hqgan reads, the command says "
    "where they are published."
)


@app.command("inspect", cls=Lists)
def inspect_data(
    path: Annotated[str, typer.Argument(help=PATH_HELP)],
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
    seed: Annotated[int, seed_of("the split, and of procedural images")] = 0,
    json_file: options.Json = None,
) -> None:
    """Show the classes, counts, sizes, groups and unreadable files of a data set, and how it will be split."""
    from hqgan.data import inspect as inspection

    selected = options.selection_fields(
        classes, merge, protocol, label, table, image_column, label_column, group_column, groups
    )
    choice = options.selection_of(
        selected | options.given_fields(data__size=size), path
    )  # the sizes that `hqgan train` takes
    with Terminal() as reporter:
        found = inspection.inspect(path, size or 64, seed, choice=choice, reporter=reporter)
    if current_shard().rank:
        return  # of several processes that decode together, one prints
    show_result(json_file, asdict(found), *inspection.summary(found), inspection.class_table(found))


@app.command("fetch", cls=Lists)
def fetch_data(
    name: Annotated[str, typer.Argument(help=NAME_HELP)],
    size: Annotated[int, option(DATA, "Side of its images in pixels: 28, 64, 128 or 224.")] = 64,
    out: Annotated[Path, option(OUTPUT, "Folder to put the archive in.")] = Path("data"),
) -> None:
    """Download a data set of MedMNIST, after printing its size, licence and checksum."""
    only_process("data fetch")
    from hqgan.data.fetch import fetch

    with Terminal() as reporter:
        path = fetch(name, size, out, reporter=reporter)
    print(f"The archive is {path}. Look at it with: hqgan data inspect {path}")
