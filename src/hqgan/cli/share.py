"""`hqgan generate`, `hqgan export` and `hqgan push`: images and models for use elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hqgan.cli import options
from hqgan.cli.options import ADVANCED, MODEL, OUTPUT, Lists, option, seed_of
from hqgan.cli.output import show_result
from hqgan.errors import UserError
from hqgan.reporter import Terminal
from hqgan.runtime.processes import current_shard
from hqgan.wording import listed, plural

if TYPE_CHECKING:
    from hqgan.reporter import Reporter
    from hqgan.sampling.load import Loaded

app = typer.Typer()

RUN_HELP = "The folder of a run, the .json file of a checkpoint, or hf:owner/name on the hub."
BACKEND_HELP = "What runs the circuits: statevector, pennylane:<device>, aer, fake:<machine> or ibm:<machine>."
TRUNCATION_HELP = (
    "Factor for the noise, as on the page of hqgan serve: below 1, images are more typical and less varied."
)
EXPORT_HELP = "New folder, with images as OUT/train/CLASS/FILE and so on."
ORIGINALS_HELP = "How real images are exported: resized to the size of generated ones, or their files copied or linked."
BALANCED_HELP = "Add generated images to every class until it is as large as the largest."
REPO_HELP = "OWNER/NAME on the Hugging Face hub; the repository is created if it is missing."


@app.command(cls=Lists)
def generate(
    run: Annotated[str, typer.Argument(help=RUN_HELP)],
    out: Annotated[Path, option(OUTPUT, "New folder for the images.")],
    class_: options.ClassCounts = None,
    per_class: Annotated[int | None, option(MODEL, "Number of generated images of every class.", min=0)] = None,
    seed: Annotated[int, seed_of("the images")] = 0,
    truncation: Annotated[float, option(MODEL, TRUNCATION_HELP, min=0.1, max=1)] = 1.0,
    drop_copies: options.DropCopies = None,
    backend: Annotated[str, option(ADVANCED, BACKEND_HELP)] = "statevector",
    shots: Annotated[int | None, option(ADVANCED, "Measurements per circuit, for aer, fake and ibm.", min=1)] = None,
    noise: Annotated[float, option(ADVANCED, "Error probability of a two-qubit gate, for aer.", min=0, max=1)] = 0.0,
    mitigation: Annotated[int, option(ADVANCED, "IBM's resilience level, for fake and ibm.", min=0, max=2)] = 0,
    yes: Annotated[bool, option(ADVANCED, "Send jobs to IBM without asking first.", "--yes")] = False,
    device: options.Device = None,
) -> None:
    """Generate images by class, with a manifest, a contact sheet and a model card."""
    from hqgan.circuits.backends.registry import backend_of
    from hqgan.run.folder import last_evaluation
    from hqgan.sampling.generate import BACKEND
    from hqgan.sampling.generate import generate as write_images
    from hqgan.sampling.images import counts_by_class
    from hqgan.sampling.load import on_backend

    reporter = Terminal()
    loaded, dropped = _load(run, device, drop_copies, reporter)
    loaded = replace(loaded, truncation=truncation)
    if drop_copies and truncation != 1:
        raise UserError("An audit covers images of --truncation 1 only: leave --drop-copies or --truncation away.")
    settings: dict[str, Any] = {"shots": shots, "noise": noise, "mitigation": mitigation}
    runs_on = backend_of(backend, **settings, seed=seed, folder=out, confirm=lambda plan: _confirmed(str(plan), yes))
    if backend != "statevector":
        loaded = on_backend(loaded, runs_on, ", ".join([backend, *(f"{k} {v}" for k, v in settings.items() if v)]))
    counts = counts_by_class(loaded.classes, per_class, class_ or [])
    if drop_copies:
        reporter.message(
            f"leaving out what {drop_copies} flags ({len(dropped)}); images that its audit did not see are not checked"
        )
    with reporter:
        metrics = last_evaluation(loaded.path.parent.parent)
        manifest = write_images(loaded, counts, out, seed, metrics, reporter, dropped, current_shard())
    if not manifest.exists():
        reporter.message("the shards of this process are done; the process that ends last writes the manifest")
        return
    print(f"{plural(sum(counts.values()), 'image')}, manifest.csv, contact-sheet.png and MODEL_CARD.md are in {out}.")
    if backend != "statevector":
        apart = json.loads((out / BACKEND).read_text())
        readouts, greys = apart["readouts"], apart["grey_levels"]
        print(
            f"Differences from the exact simulator: readouts by {readouts['mean']:.2g} on average and at most "
            f"{readouts['largest']:.2g}; images by {greys['mean']:.2g} grey levels on average and at most {greys['largest']}."
        )


@app.command(cls=Lists)
def export(
    run: options.Run,
    out: Annotated[Path, typer.Argument(help=EXPORT_HELP)],
    data: options.RealData = None,
    originals: Annotated[Literal["resized", "copy", "link"], option(OUTPUT, ORIGINALS_HELP)] = "resized",
    balanced: Annotated[bool, option(MODEL, BALANCED_HELP, "--balanced")] = False,
    class_: options.ClassCounts = None,
    seed: Annotated[int, seed_of("the generated images")] = 0,
    drop_copies: options.DropCopies = None,
    device: options.Device = None,
    json_file: options.Json = None,
) -> None:
    """Write real and generated images as folders that torchvision, timm and Hugging Face datasets read."""
    from rich.table import Table

    from hqgan.evaluation.real_images import data_of
    from hqgan.sampling import export as exporting
    from hqgan.sampling.dataset import lacking
    from hqgan.sampling.images import counts_by_class, numbered

    if balanced and class_:
        raise UserError("--balanced and --class both say how many images are added; give one of them.")
    reporter = Terminal()
    loaded, dropped = _load(run, device, drop_copies, reporter)
    place = Path(data or loaded.config.data.path)
    root = place if place.is_dir() else None
    with reporter:
        real, split = data_of(loaded, data, reporter)
        if balanced:
            counts = lacking(real.labels[split.train], real.classes)
        else:
            counts = counts_by_class(loaded.classes, None, class_) if class_ else {}
        made = numbered(real.classes, counts, seed, dropped)
        found = exporting.export(loaded, real, split, root, made, out, originals=originals, reporter=reporter)
    table = Table("class", "train, real", "train, generated", "validation", "test")
    for name in real.classes:
        row = [found["train"][name][0], found["train"][name][1], found["validation"][name][0], found["test"][name][0]]
        table.add_row(name, *(f"{n:,}" for n in row))
    show_result(json_file, found, table)
    bare = [f"{name} ({side})" for side in found for name, counts_ in found[side].items() if not sum(counts_)]
    if bare:
        reporter.message(
            f"no image of {listed(bare)}: the folder is empty, and ImageFolder takes it with allow_empty=True"
        )
    print(f"The folder is {out}; metadata.csv in each part says which images are generated. Test on real images only.")
    if originals != "resized":
        size = loaded.config.data.size
        print(
            f"Generated images are {size}x{size} pixels, real ones keep their size: a network can distinguish them by "
            "sharpness."
        )


@app.command(cls=Lists)
def push(
    run: options.Run,
    repo: Annotated[str, typer.Argument(help=REPO_HELP)],
    public: Annotated[bool, option(OUTPUT, "Make a new repository public instead of private.", "--public")] = False,
) -> None:
    """Upload weights, config and model card to the Hugging Face hub; `hqgan generate hf:OWNER/NAME` uses them."""
    from hqgan.run.folder import last_evaluation
    from hqgan.sampling import hub
    from hqgan.sampling.load import load

    reporter = Terminal()
    loaded = load(run, reporter=reporter)
    metrics = last_evaluation(loaded.path.parent.parent)
    print(f"It is at {hub.push(loaded, repo, metrics, public=public, reporter=reporter)}.")


def _load(
    run: str | Path, device: str | None, drop_copies: Path | None, reporter: Reporter
) -> tuple[Loaded, frozenset[int]]:
    """A trained generator, and the latent seeds of the images to leave out."""
    from hqgan.runtime.devices import resolve_device
    from hqgan.sampling.images import read_dropped
    from hqgan.sampling.load import load

    loaded = load(run, str(resolve_device(device or "auto")), reporter)
    if drop_copies is None:
        return loaded, frozenset()
    if loaded.config.private:
        raise UserError(f"{run} was trained privately; --drop-copies would choose its images by looking at real ones.")
    return loaded, read_dropped(drop_copies, loaded.checkpoint_hash)


def _confirmed(plan: str, yes: bool) -> bool:
    Terminal().message(f"{plan}.")
    return yes or (sys.stdin.isatty() and typer.confirm("Send it?"))
