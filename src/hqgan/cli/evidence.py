"""`hqgan study`, `hqgan audit` and `hqgan report`: do the images help, do they copy, and a page that shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hqgan.cli.console import bar, pairs, say, show, training_progress, write_json
from hqgan.cli.options import ClassesOption, JsonOption, LabelOption, Lists, MergeOption, ProtocolOption, choice_of
from hqgan.errors import UserError
from hqgan.runtime.processes import current_shard

app = typer.Typer()


@app.command(cls=Lists)
def study(
    out: Annotated[Path, typer.Option("--out", help="The study's folder; what is finished in it is kept.")],
    data: Annotated[str, typer.Option("--data", help="A data set's folder, or demo.")] = "demo",
    seeds: Annotated[
        list[int] | None,
        typer.Option("--seeds", min=0, help="A split, a generator and a classifier each. (default: 0 1 2)"),
    ] = None,
    generators: Annotated[
        list[str] | None,
        typer.Option("--generators", help="Presets to train, and pca-gaussian. (default: hqgan dcgan pca-gaussian)"),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--given", help="Runs, or folders of images by class, beside or instead of them."),
    ] = None,
    kimg: Annotated[
        float | None, typer.Option("--kimg", min=0.001, help="Training length. (default: the preset's)")
    ] = None,
    fill: Annotated[
        list[str] | None,
        typer.Option("--fill", help="Classes to fill up. (default: below a quarter of the mean class)"),
    ] = None,
    uses: Annotated[
        list[str] | None,
        typer.Option(
            "--uses",
            help="Uses of generated images: mixed, balanced-mix, classifier-filtered, density-filtered, pretrain, only. "
            "(default: all)",
        ),
    ] = None,
    ratios: Annotated[
        list[float] | None,
        typer.Option(
            "--ratios",
            help="Share of generated images in arm 'mixed'; 1 fills a class to the average class size. (default: 0.1 0.5 1 2)",
        ),
    ] = None,
    classifiers: Annotated[
        list[str] | None, typer.Option("--classifiers", help="small, resnet18, vit-small. (default: small)")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="NAME=FILE.safetensors: fine-tune that classifier too.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=10, help="Of every classifier. (default: 600)")] = None,
    real_fraction: Annotated[
        list[float] | None, typer.Option("--real-fraction", help="Of the training part, each a study. (default: 1)")
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Side of the images in pixels, 32 or 64.")] = 64,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="Classifiers side by side.")] = 1,
    device: Annotated[str, typer.Option("--device", help="On which generators train.")] = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Two seeds, a small generator, few arms: minutes.")] = False,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    json_file: JsonOption = None,
) -> None:
    """Do generated images help a classifier on real ones never seen? Every arm with the same steps; goes on where it stopped."""
    from hqgan.experiments import study as studies
    from hqgan.experiments.study.results import as_json
    from hqgan.experiments.study.table import table
    from hqgan.report.page import write_study
    from hqgan.training.loop import Interrupted

    given_options: dict[str, Any] = {
        "seeds": seeds, "generators": generators, "given": given, "fill": fill, "uses": uses, "ratios": ratios,
        "classifiers": classifiers, "fractions": real_fraction,
    }  # fmt: skip
    choice = choice_of(classes, merge, protocol, label)
    settings = studies.Settings(data, size=size, kimg=kimg, steps=steps, jobs=jobs, device=device, choice=choice)
    if quick:
        settings = studies.quick(settings)
    lists = {name: tuple(dict.fromkeys(values)) for name, values in given_options.items() if values}
    settings = replace(settings, **lists, weights=tuple(pairs("--weights", weights or [])))  # type: ignore[arg-type]
    again = f"Go on with the same command; what is finished is in {out}."
    with training_progress() as (on_data, on_step), bar("arms", "arms") as on_arm:
        try:
            result = studies.study(
                settings, out, say=say, on_data=on_data, on_step=on_step, on_arm=on_arm, share=current_shard()
            )
        except (Interrupted, KeyboardInterrupt):
            say(f"Stopped. {again}")
            raise typer.Exit(130) from None
    if result is None:
        say("the seeds of this process are done; the one that ends last sums up")
        return
    write_study(out / "study.json", out / "study.html")
    write_json(json_file, as_json(result))
    show(*table(result))
    print(f"The page is {out / 'study.html'}, the numbers are in {out / 'study.json'}.")


@app.command()
def audit(
    run_or_folder: Annotated[Path, typer.Argument(help="A run, or a folder of images by class.")],
    data: Annotated[str, typer.Option("--data", help="The real data. (default: the run's own)")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the result. (default: RUN/audit, or FOLDER-audit)")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of images and permutations; of a folder's split too.")
    ] = 0,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    json_file: JsonOption = None,
) -> None:
    """Do generated images copy training images? A verdict with its p-value, and the files to drop."""
    from hqgan.evaluation import audit as auditing

    choice = choice_of(classes, merge, protocol, label)
    with bar("images") as update:
        found = auditing.audit(run_or_folder, data or None, out, seed, choice=choice, say=say, on_data=update)
    write_json(json_file, found)
    show(*auditing.table(found))


@app.command()
def report(
    paths: Annotated[list[Path], typer.Argument(help="Runs (with their audits), studies, audits.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.")],
    real: Annotated[
        bool, typer.Option("--real", help="Show real images beside generated ones: patients' pictures.")
    ] = False,
) -> None:
    """One self-contained page: curves, grids, metrics with floors and intervals, study, audit, circuit, config."""
    from hqgan.io.files import read_json
    from hqgan.report.of_run import BESIDE, CIRCUIT
    from hqgan.report.page import write_report

    for path in paths:
        if not path.is_dir():
            raise UserError(f"There is no folder {path}.")
        if real and (path / "audit.json").exists() and read_json(path / "audit.json").get("private"):
            raise UserError(f"{path} is of a run trained privately: no picture shows real images beside its own.")
        if (path / "config.json").exists():
            _draw_circuit(path, path / CIRCUIT)
            if real:
                from hqgan.run.train import draw_beside_real

                draw_beside_real(path, path / BESIDE)
    write_report(paths, out, real)
    print(f"The page is {out}.")


def _draw_circuit(run: Path, path: Path) -> None:
    from hqgan.circuits.analysis.drawing import draw
    from hqgan.config import read
    from hqgan.models.build import circuit_of

    ansatz = circuit_of(read(run / "config.json"))
    if ansatz is not None and not path.exists():
        draw(ansatz, path)
