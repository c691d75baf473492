"""The command `hqgan`: each command parses, calls one function, prints. Heavy libraries load inside the commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import hqgan
from hqgan.cli.circuits import app as circuits_app
from hqgan.cli.compare import app as compare_app
from hqgan.cli.console import bar, pairs, say, show, training_progress, write_json
from hqgan.cli.evidence import app as evidence_app
from hqgan.cli.options import (
    ClassesOption,
    JsonOption,
    LabelOption,
    MergeOption,
    ProtocolOption,
    choice_changes,
    choice_of,
    preset_names,
)
from hqgan.cli.serve import app as serve_app
from hqgan.cli.share import app as share_app
from hqgan.errors import UserError, out_of_memory
from hqgan.runtime.processes import current_shard, is_same_launch
from hqgan.wording import plural

if TYPE_CHECKING:
    from hqgan.config import Config

app = typer.Typer(
    help="Hybrid classical-quantum GANs for colour images of rare skin diseases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
data_app = typer.Typer(help="Look at a data set, or fetch one.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(circuits_app, name="circuits")
app.add_typer(evidence_app)
app.add_typer(compare_app)
app.add_typer(share_app)
app.add_typer(serve_app)

SHARED = ("train", "generate", "study", "data")
"""Commands whose work torchrun's processes share."""

DataOption = Annotated[str, typer.Option("--data", help="A data set's folder, or demo for procedural lesions.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Equal seeds give equal results.")]


def _say_version(asked: bool) -> None:
    if asked:
        print(f"hqgan {hqgan.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command; `main` reads --debug itself."""
    if context.invoked_subcommand not in SHARED:
        _one_process(str(context.invoked_subcommand))


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="The run's folder.")],
    data: Annotated[str | None, typer.Option("--data", help="A data set's folder, or demo. (default: demo)")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            help="See `hqgan presets`. (default: hqgan; with --dp-epsilon private)",
            autocompletion=preset_names,
        ),
    ] = None,
    kimg: Annotated[float | None, typer.Option("--kimg", help="Thousands of real images to show the critic.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of weights, noise and data order.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1 ... (default: auto)")] = None,
    dp_epsilon: Annotated[
        float | None, typer.Option("--dp-epsilon", help="Train with differential privacy by lesion (docs/privacy.md).")
    ] = None,
    dp_delta: Annotated[float | None, typer.Option("--dp-delta", help="Its delta. (default: 1e-5)")] = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any field: --set training.lr_critic=1e-4")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved config and stop.")] = False,
) -> None:
    """Train a generator; Ctrl-C saves, --resume goes on."""
    from hqgan import config as configs

    given = {"data.path": data, "training.kimg": kimg, "training.seed": seed, "training.device": device}
    given |= {"privacy.epsilon": dp_epsilon, "privacy.delta": dp_delta}
    changes = {k: v for k, v in given.items() if v is not None} | choice_changes(classes, merge, protocol, label)
    changes |= configs.parse_assignments(set_ or [])
    config = _resolve(out, preset, changes, resume)
    if dp_delta is not None and not config.private:
        raise UserError("--dp-delta alone makes nothing private; give --dp-epsilon with it.")
    if dry_run:
        print(config.model_dump_json(indent=2))
        return
    _train(config, out, resume)


@app.command()
def demo(out: Annotated[Path, typer.Option("--out", help="The run's folder.")] = Path("runs/demo")) -> None:
    """Train the preset `demo` on procedural lesions and generate a contact sheet; goes on where it was stopped."""
    from hqgan import config as configs
    from hqgan.run.train import draw_beside_real, last_evaluation, stored_config
    from hqgan.sampling.generate import counts_by_class
    from hqgan.sampling.generate import generate as write_images
    from hqgan.sampling.load import load

    config = stored_config(out) or configs.preset("demo")
    _train(config, out, resume=True)
    loaded = load(out)
    folder = out / "generated"
    write_images(loaded, counts_by_class(loaded.classes, 8, []), folder, 0, last_evaluation(out))
    draw_beside_real(out, out / "real-and-generated.png")
    print(f"The contact sheet is {folder / 'contact-sheet.png'}, real lesions beside generated ones are in")
    print(f"{out / 'real-and-generated.png'}, and training as it went is in {out / 'samples'}.")


@app.command()
def generate(
    run: Annotated[str, typer.Argument(help="A run's folder, a checkpoint's .json, or hf:owner/name.")],
    out: Annotated[Path, typer.Option("--out", help="A new folder for the images.")],
    class_: Annotated[list[str] | None, typer.Option("--class", help="NAME=COUNT, as often as needed.")] = None,
    per_class: Annotated[int | None, typer.Option("--per-class", min=0, help="Images of every class.")] = None,
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda ...")] = "auto",
    backend: Annotated[
        str,
        typer.Option(
            "--backend", help="Of circuits: statevector, pennylane:<device>, aer, fake:<machine>, ibm:<machine>."
        ),
    ] = "statevector",
    shots: Annotated[int | None, typer.Option("--shots", min=1, help="Of each circuit, on aer, fake and ibm.")] = None,
    noise: Annotated[float, typer.Option("--noise", min=0, max=1, help="Error of a two-qubit gate on aer.")] = 0.0,
    mitigation: Annotated[
        int, typer.Option("--mitigation", min=0, max=2, help="IBM's resilience level, on fake and ibm.")
    ] = 0,
    drop_copies: Annotated[
        Path | None, typer.Option("--drop-copies", help="Leave out what `hqgan audit` flagged: its flagged.csv.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send jobs to ibm without asking.")] = False,
) -> None:
    """Make images by class, with a manifest, a contact sheet and a model card."""
    from hqgan.circuits.backends.registry import backend_of
    from hqgan.run.train import last_evaluation, resolve_device
    from hqgan.sampling.generate import BACKEND, counts_by_class, read_dropped
    from hqgan.sampling.generate import generate as write_images
    from hqgan.sampling.load import load, on_backend

    loaded = load(run, str(resolve_device(device)), say)
    if drop_copies and loaded.config.private:
        raise UserError(f"{run} was trained privately; --drop-copies would choose its images by looking at real ones.")
    options: dict[str, Any] = {"shots": shots, "noise": noise, "mitigation": mitigation, "seed": seed}
    runs_on = backend_of(backend, **options, folder=out, confirm=lambda plan: _confirmed(str(plan), yes))
    if backend != "statevector":
        settings = {"shots": shots, "noise": noise, "mitigation": mitigation}
        loaded = on_backend(loaded, runs_on, ", ".join([backend, *(f"{k} {v}" for k, v in settings.items() if v)]))
    counts = counts_by_class(loaded.classes, per_class, class_ or [])
    dropped = read_dropped(drop_copies, loaded.checkpoint_hash) if drop_copies else frozenset()
    if drop_copies:
        say(
            f"leaving out what {drop_copies} flags ({len(dropped)}); images that its audit did not look at are not checked"
        )
    with bar("images") as update:
        metrics = last_evaluation(loaded.path.parent.parent)
        manifest = write_images(loaded, counts, out, seed, metrics, update, dropped, current_shard())
    if not manifest.exists():
        say("the shards of this process are done; the one that ends last writes the manifest")
        return
    print(f"{plural(sum(counts.values()), 'image')}, manifest.csv, contact-sheet.png and MODEL_CARD.md are in {out}.")
    if backend != "statevector":
        apart = json.loads((out / BACKEND).read_text())
        readouts, greys = apart["readouts"], apart["grey_levels"]
        print(
            f"Apart from the exact simulator: readouts by {readouts['mean']:.2g} on average, at most {readouts['largest']:.2g}; "
            f"images by {greys['mean']:.2g} grey levels on average, at most {greys['largest']}."
        )


@app.command()
def evaluate(
    run_or_folder: Annotated[Path | None, typer.Argument(help="A run, or a folder of images by class.")] = None,
    data: DataOption = "",
    json_file: JsonOption = None,
    check_extractors: Annotated[
        bool, typer.Option("--check-extractors", help="Check the extractors: planted degradations of real images.")
    ] = False,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="NAME=FILE of inception, dinov2 or alexnet (for LPIPS).")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch such weights where no file is given.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of noise and subsamples. (default: 0)")] = None,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
) -> None:
    """Distances of generated images to held-out real ones, with the real floor and the PCA-Gaussian bar."""
    from hqgan.evaluation import evaluate as evaluation

    choice = choice_of(classes, merge, protocol, label)
    if check_extractors:
        if not data:
            raise UserError("--check-extractors needs --data: the real images to degrade.")
        with bar("images") as update:
            checked = evaluation.check(data, seed or 0, choice=choice, say=say, on_data=update)
        write_json(json_file, checked)
        show(*evaluation.check_table(checked))
        return
    if run_or_folder is None:
        raise UserError(
            "hqgan evaluate takes a run or a folder of images: hqgan evaluate runs/ham --data path/to/ham10000."
        )
    files = {name: Path(path) for name, path in pairs("--weights", weights or [])}
    with bar("images") as update:
        result = evaluation.evaluate(
            run_or_folder,
            data or None,
            seed or 0,
            choice=choice,
            weights=files,
            download=download,
            say=say,
            on_data=update,
        )
    write_json(json_file, result)
    if evaluation.is_run(run_or_folder) and run_or_folder.is_dir():
        write_json(run_or_folder / "evaluation.json", result)
    show(*evaluation.table(result))


@app.command()
def presets(
    json_out: Annotated[bool, typer.Option("--json", help="Print JSON, without timing.")] = False,
    classes: Annotated[int, typer.Option("--classes", min=2, max=1000, help="Classes to count parameters for.")] = 8,
    epoch: Annotated[int, typer.Option("--epoch", min=1, help="Images of an epoch.")] = 4189,
) -> None:
    """List the presets with their sizes, and the seconds that an epoch takes on this machine."""
    from hqgan.run import preset_table as listing

    if json_out:
        print(json.dumps(listing.describe(classes), indent=1))
    else:
        show(listing.table(listing.describe(classes, epoch=epoch), epoch))


@data_app.command("inspect")
def inspect_data(
    path: Annotated[str, typer.Argument(help="A data set's folder, or demo.")],
    size: Annotated[int, typer.Option("--size", help="Side of the images in pixels.")] = 64,
    seed: SeedOption = 0,
    classes: ClassesOption = None,
    merge: MergeOption = None,
    protocol: ProtocolOption = None,
    label: LabelOption = None,
    json_file: JsonOption = None,
) -> None:
    """Classes, counts, sizes, groups, broken files, and what the split will be."""
    from hqgan.data import inspect as inspection

    with bar("images") as update:
        found = inspection.inspect(path, size, seed, choice=choice_of(classes, merge, protocol, label), progress=update)
    if current_shard().rank:
        return  # several processes that decode together; one speaks
    write_json(json_file, found)
    show(*inspection.summary(found), inspection.table(found))


@data_app.command("fetch")
def fetch_data(
    name: Annotated[str, typer.Argument(help="dermamnist, retinamnist ...; of others it says where they are.")],
    out: Annotated[Path, typer.Option("--out", help="The folder that it is put in.")] = Path("data"),
    size: Annotated[int, typer.Option("--size", help="Side of its images in pixels: 28, 64, 128 or 224.")] = 64,
) -> None:
    """Download a data set of MedMNIST: size, licence and checksum are said first."""
    _one_process("data fetch")
    from hqgan.data.fetch import fetch

    with bar("fetching", "kB") as update:
        path = fetch(name, size, out, say=say, progress=update)
    print(f"The archive is {path}: hqgan data inspect {path}")


def main() -> None:
    """Run the command line; bad input is one sentence on standard error and exit code 2."""
    debug = "--debug" in sys.argv
    # Accepted anywhere, as people add it to a command that failed.
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    rank = current_shard().rank
    name = f"hqgan, process {rank}" if rank else "hqgan"
    try:
        app(args=arguments, prog_name="hqgan")
    except UserError as error:
        if debug:
            raise
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        # Full disks and missing rights, wherever a command meets them; nothing half written is left under its own name.
        if debug or (error.filename is None and error.errno is None):
            raise
        place = error.filename2 or error.filename
        where = f"{place} cannot be read or written" if place else "a file cannot be read or written"
        print(f"{name}: {where} ({error.strerror}); make room, or check the rights.", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if debug or not out_of_memory(error):
            raise
        print(f"{name}: there is not enough memory; take a smaller size, fewer images or fewer jobs.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        if debug:
            raise
        print(f"{name}: stopped.", file=sys.stderr)
        sys.exit(130)


def _one_process(command: str) -> None:
    """Refuse several: each would do the whole, and they would write over each other."""
    if current_shard().world > 1:
        raise UserError(f"hqgan {command} does not share its work among processes: start it without torchrun.")


def _resolve(out: Path, preset: str | None, changes: dict[str, Any], resume: bool) -> Config:
    """The config asked for; when resuming without naming a preset, the run's own with the changes."""
    from hqgan import config as configs
    from hqgan.run.train import stored_config

    stored = stored_config(out) if resume or is_same_launch(out) else None
    if stored is not None and preset is None:
        return configs.replace(stored, changes)
    return configs.preset(preset or ("private" if changes.get("privacy.epsilon") else "hqgan"), changes)


def _confirmed(plan: str, yes: bool) -> bool:
    say(f"{plan}.")
    return yes or (sys.stdin.isatty() and typer.confirm("Send it?"))


def _train(config: Config, out: Path, resume: bool) -> None:
    from hqgan.run import train as run
    from hqgan.training.loop import Interrupted

    with training_progress() as (on_data, on_step):
        try:
            run.train(config, out, resume=resume, say=say, on_data=on_data, on_step=on_step)
        except Interrupted:
            if current_shard().rank == 0:
                print(f"Stopped and saved. Go on with: hqgan train --out {out} --resume", file=sys.stderr)
            raise typer.Exit(130) from None
    if current_shard().rank == 0:
        print(f"The run is in {out}: samples/ shows it learn, metrics.jsonl has its numbers.")
