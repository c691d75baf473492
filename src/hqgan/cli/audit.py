"""`hqgan audit`: whether generated images copy training images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli.options import (
    OUTPUT,
    ClassesOption,
    JsonOption,
    LabelOption,
    Lists,
    MergeOption,
    ProtocolOption,
    RealDataOption,
    seed_of,
    selection_of,
)
from hqgan.cli.output import show, write_json
from hqgan.cli.progress import Terminal

app = typer.Typer()


@app.command(cls=Lists)
def audit(
    run_or_folder: Annotated[Path, typer.Argument(help="A run, or a folder with one sub-folder of images per class.")],
    data: RealDataOption = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    seed: Annotated[int, seed_of("images and permutations, and of the split for a folder of images")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the results. (default: RUN/audit, or FOLDER-audit)", rich_help_panel=OUTPUT
        ),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Test whether generated images copy training images: a verdict with its p-value, and a list of suspicious files."""
    from hqgan.evaluation import audit as auditing

    choice = selection_of(classes, merge, protocol, label)
    with Terminal() as reporter:
        found = auditing.audit(run_or_folder, data, out, seed, choice=choice, reporter=reporter)
    write_json(json_file, found)
    show(*auditing.table(found))
