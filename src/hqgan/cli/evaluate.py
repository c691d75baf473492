"""`hqgan evaluate`: compare generated images with held-out real images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli.options import (
    ADVANCED,
    ClassesOption,
    DownloadOption,
    JsonOption,
    LabelOption,
    Lists,
    MergeOption,
    PretrainedOption,
    ProtocolOption,
    RealDataOption,
    pairs,
    seed_of,
    selection_of,
)
from hqgan.cli.output import show, write_json
from hqgan.cli.progress import Terminal
from hqgan.errors import UserError

app = typer.Typer()


@app.command(cls=Lists)
def evaluate(
    run_or_folder: Annotated[
        Path | None, typer.Argument(help="A run, or a folder with one sub-folder of images per class.")
    ] = None,
    data: RealDataOption = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    seed: Annotated[int, seed_of("noise and subsamples")] = 0,
    weights: PretrainedOption = None,
    download: DownloadOption = False,
    check_extractors: Annotated[
        bool,
        typer.Option(
            "--check-extractors",
            help="Check the feature extractors instead: whether their distances grow as real images are corrupted more.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Compare generated images with held-out real images.

    Each distance is shown beside a best case, real images against real images, and a simple baseline, a Gaussian fitted to
    principal components.
    """
    from hqgan.evaluation.check_extractors import check
    from hqgan.evaluation.evaluate import evaluate as measure
    from hqgan.evaluation.real_images import is_run
    from hqgan.evaluation.tables import check_table, evaluation_table

    choice = selection_of(classes, merge, protocol, label)
    if check_extractors:
        if not data:
            raise UserError("--check-extractors needs --data, the real images to corrupt.")
        with Terminal() as reporter:
            checked = check(data, seed, choice=choice, reporter=reporter)
        write_json(json_file, checked.as_json())
        show(*check_table(checked))
        return
    if run_or_folder is None:
        raise UserError(
            "hqgan evaluate takes a run or a folder of images: hqgan evaluate runs/ham --data path/to/ham10000."
        )
    files = {name: Path(path) for name, path in pairs("--weights", weights)}
    with Terminal() as reporter:
        result = measure(run_or_folder, data, seed, choice=choice, weights=files, download=download, reporter=reporter)
    write_json(json_file, result.as_json())
    if is_run(run_or_folder) and run_or_folder.is_dir():
        write_json(run_or_folder / "evaluation.json", result.as_json())
    show(*evaluation_table(result))
