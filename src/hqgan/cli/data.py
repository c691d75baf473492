"""`hqgan data`: look at a data set, or fetch one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli.options import (
    DATA,
    OUTPUT,
    ClassesOption,
    JsonOption,
    LabelOption,
    Lists,
    MergeOption,
    ProtocolOption,
    seed_of,
    selection_of,
)
from hqgan.cli.output import show, write_json
from hqgan.cli.progress import Terminal
from hqgan.runtime.processes import current_shard, only_process

app = typer.Typer(help="Look at a data set, or download one.", no_args_is_help=True)


@app.command("inspect", cls=Lists)
def inspect_data(
    path: Annotated[str, typer.Argument(help="Folder or archive of the data set, or demo for procedural lesions.")],
    size: Annotated[
        int, typer.Option("--size", help="Side in pixels to which images are resized, 8 to 1024.", rich_help_panel=DATA)
    ] = 64,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    seed: Annotated[int, seed_of("the split, and of procedural images")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Show the classes, counts, sizes, groups and unreadable files of a data set, and how it will be split."""
    from hqgan.data import inspect as inspection

    with Terminal() as reporter:
        found = inspection.inspect(
            path, size, seed, choice=selection_of(classes, merge, protocol, label), reporter=reporter
        )
    if current_shard().rank:
        return  # of several processes that decode together, one prints
    write_json(json_file, asdict(found))
    show(*inspection.summary(found), inspection.table(found))


@app.command("fetch", cls=Lists)
def fetch_data(
    name: Annotated[
        str,
        typer.Argument(
            help="Data set of MedMNIST, such as dermamnist or retinamnist. For the other data sets that hqgan reads, the "
            "command says where they are published."
        ),
    ],
    size: Annotated[
        int, typer.Option("--size", help="Side of its images in pixels: 28, 64, 128 or 224.", rich_help_panel=DATA)
    ] = 64,
    out: Annotated[Path, typer.Option("--out", help="Folder to put the archive in.", rich_help_panel=OUTPUT)] = Path(
        "data"
    ),
) -> None:
    """Download a data set of MedMNIST, after printing its size, licence and checksum."""
    only_process("data fetch")
    from hqgan.data.fetch import fetch

    with Terminal() as reporter:
        path = fetch(name, size, out, reporter=reporter)
    print(f"The archive is {path}. Look at it with: hqgan data inspect {path}")
