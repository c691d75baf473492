"""`hqgan evaluate` and `hqgan audit`: generated images beside real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli import options
from hqgan.cli.options import ADVANCED, OUTPUT, Lists, option, seed_of
from hqgan.cli.output import show_result, write_json
from hqgan.errors import UserError
from hqgan.reporter import Terminal

app = typer.Typer()

ALL_HELP = "Print every metric, by class too, the latent geometry and skin tones."
CHECK_HELP = "Check the feature extractors instead: whether their distances grow as real images are corrupted more."
AUDIT_HELP = "Folder of the results. (default: RUN/audit, or FOLDER-audit)"


@app.command(cls=Lists)
def evaluate(
    run_or_folder: Annotated[Path | None, options.RUN_OR_FOLDER] = None,
    data: options.RealData = None,
    classes: options.Classes = None,
    merge: options.Merge = None,
    protocol: options.Protocol = None,
    label: options.Label = None,
    table: options.Table = None,
    image_column: options.ImageColumn = None,
    label_column: options.LabelColumn = None,
    group_column: options.GroupColumn = None,
    groups: options.Groups = None,
    seed: Annotated[int, seed_of("noise and subsamples")] = 0,
    weights: options.Pretrained = None,
    download: options.Download = False,
    check_extractors: Annotated[bool, option(ADVANCED, CHECK_HELP, "--check-extractors")] = False,
    everything: Annotated[bool, option(OUTPUT, ALL_HELP, "--all")] = False,
    json_file: options.Json = None,
) -> None:
    """Compare generated images with held-out real images: a verdict with its reason, and the measures that it rests on.

    Each distance is shown beside a best case, real images against real images, and a simple baseline, a Gaussian fitted to
    principal components.
    """
    from hqgan.evaluation.evaluate import evaluate as measure
    from hqgan.evaluation.evaluate import evaluation_table, summary_table
    from hqgan.evaluation.extractors import check, check_table
    from hqgan.evaluation.real_images import is_run

    data = options.folder_of(data, table)
    selected = options.selection_fields(
        classes, merge, protocol, label, table, image_column, label_column, group_column, groups
    )
    choice = options.selection_of(selected, data)
    if check_extractors:
        if not data:
            raise UserError("--check-extractors needs --data, the real images to corrupt.")
        with Terminal() as reporter:
            checked = check(data, seed, choice=choice, reporter=reporter)
        show_result(json_file, checked.as_json(), *check_table(checked))
        return
    if run_or_folder is None:
        raise UserError(
            "hqgan evaluate takes a run or a folder of images: hqgan evaluate runs/ham --data path/to/ham10000."
        )
    files = {name: Path(path) for name, path in options.pairs("--weights", weights)}
    with Terminal() as reporter:
        result = measure(run_or_folder, data, seed, choice=choice, weights=files, download=download, reporter=reporter)
    if is_run(run_or_folder) and run_or_folder.is_dir():
        write_json(run_or_folder / "evaluation.json", result.as_json())
    tables = evaluation_table(result) if everything else summary_table(result)
    show_result(json_file, result.as_json(), *tables)


@app.command(cls=Lists)
def audit(
    run_or_folder: Annotated[Path, options.RUN_OR_FOLDER],
    data: options.RealData = None,
    classes: options.Classes = None,
    merge: options.Merge = None,
    protocol: options.Protocol = None,
    label: options.Label = None,
    table: options.Table = None,
    image_column: options.ImageColumn = None,
    label_column: options.LabelColumn = None,
    group_column: options.GroupColumn = None,
    groups: options.Groups = None,
    seed: Annotated[int, seed_of("images and permutations, and of the split for a folder of images")] = 0,
    out: Annotated[Path | None, option(OUTPUT, AUDIT_HELP)] = None,
    json_file: options.Json = None,
) -> None:
    """Test whether generated images copy training images: a verdict with its p-value, and a list of suspicious files."""
    from hqgan.evaluation import audit as auditing
    from hqgan.evaluation.audit_tables import tables

    data = options.folder_of(data, table)
    selected = options.selection_fields(
        classes, merge, protocol, label, table, image_column, label_column, group_column, groups
    )
    choice = options.selection_of(selected, data)
    with Terminal() as reporter:
        found = auditing.audit(run_or_folder, data, out, seed, choice=choice, reporter=reporter)
    show_result(json_file, found, *tables(found))
