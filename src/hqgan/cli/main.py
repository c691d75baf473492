"""The command `hqgan`: each command reads its options, calls one function, prints. Heavy libraries load inside the commands."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import hqgan
from hqgan.cli import circuits, data, evaluate, experiments, options, pages, share, train
from hqgan.cli.flags import with_flags
from hqgan.cli.options import ADVANCED, Lists, option
from hqgan.cli.output import show, show_result, write_json
from hqgan.errors import UserError, out_of_memory
from hqgan.runtime.processes import current_shard, only_process
from hqgan.wording import printable

app = typer.Typer(
    help="Hybrid classical-quantum GANs for colour images of rare skin diseases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
TIME_HELP = "Measure how many seconds an epoch takes on this machine, preset by preset."

SHARED = ("train", "generate", "study", "data")
"""Commands whose work the processes of torchrun share."""


def _print_version(asked: bool) -> None:
    if asked:
        print(f"hqgan {hqgan.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command; `main` reads --debug itself."""
    if context.invoked_subcommand not in SHARED:
        only_process(str(context.invoked_subcommand))


@app.command(cls=Lists)
def demo(out: Annotated[Path, typer.Option("--out", help="Folder of the run.")] = Path("runs/demo")) -> None:
    """Train the preset `demo` on procedural lesions and generate images. The same command continues a run that was stopped."""
    from hqgan import config as configs
    from hqgan.run.folder import last_evaluation, stored_config
    from hqgan.run.pictures import draw_beside_real
    from hqgan.sampling.generate import generate as write_images
    from hqgan.sampling.images import counts_by_class
    from hqgan.sampling.load import load

    stored = stored_config(out)
    train.train_run(stored or configs.preset("demo"), out, resume=stored is not None)
    loaded = load(out)
    folder = out / "generated"
    write_images(loaded, counts_by_class(loaded.classes, 8, []), folder, 0, last_evaluation(out))
    draw_beside_real(out, out / "real-and-generated.png")
    print(f"Generated images are in {folder / 'contact-sheet.png'}, real lesions beside generated ones in")
    print(f"{out / 'real-and-generated.png'}, and samples from each stage of training in {out / 'samples'}.")


@app.command(cls=Lists)
def presets(
    classes: Annotated[
        int, typer.Option(min=2, max=1000, help="Number of classes for which parameters are counted.")
    ] = 8,
    time: Annotated[bool, option(ADVANCED, TIME_HELP, "--time")] = False,
    epoch: Annotated[int, option(ADVANCED, "Number of images in an epoch, for --time.", min=1)] = 4189,
    json_file: options.Json = None,
) -> None:
    """List the presets with the sizes of their networks and circuits."""
    from hqgan.run import preset_table as listing

    rows = listing.describe(classes)
    show(listing.table(rows))
    if time:
        show(f"Seconds per epoch of {epoch:,} images, measured on this CPU:")
        for name, seconds in listing.timed(classes, epoch):
            rows[name]["seconds_per_epoch"] = seconds
            show(f"{name:<20}{seconds:>8,.0f}")
    if json_file is not None:
        write_json(json_file, rows)


@app.command(cls=Lists)
def config(preset: options.Preset = "hqgan", set_: options.Set = None, json_file: options.Json = None) -> None:
    """List every field of a preset's config with its value and meaning; `--set FIELD=VALUE` sets a field in other commands."""
    from rich.table import Table

    from hqgan import config as configs

    found = configs.described(configs.preset(preset, configs.parse_assignments(set_ or [])))
    table = Table("field", "value", "meaning")
    for field in found:
        table.add_row(field.name, field.value if isinstance(field.value, str) else json.dumps(field.value), field.help)
    show_result(json_file, [asdict(field) for field in found], table)


for part in (train, data, share, evaluate, experiments, pages, circuits):
    app.add_typer(part.app)


def main() -> None:
    """Run the command line; bad input is one sentence on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal's or a pipe's encoding may lack letters of a class's name
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv
    # Accepted anywhere, since people add it at the end of a command that failed.
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        app(args=arguments, prog_name="hqgan")
    except (UserError, OSError, MemoryError, RuntimeError, KeyboardInterrupt) as error:
        sentence = _sentence(error)
        if debug or sentence is None:
            raise
        rank = current_shard().rank
        print(f"{f'hqgan, process {rank}' if rank else 'hqgan'}: {sentence}", file=sys.stderr)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 2)


def _sentence(error: BaseException) -> str | None:
    """What a user is told about an error; None of one that is no user's to correct."""
    if isinstance(error, UserError):
        return with_flags("\n".join(map(printable, str(error).split("\n"))))
    if isinstance(error, KeyboardInterrupt):
        return "stopped."
    if isinstance(error, OSError) and (error.filename is not None or error.errno is not None):
        # Full disks and missing rights, in any command; nothing half written is left under its final name.
        where = error.filename2 or error.filename or "a file"
        return f"{where} cannot be read or written ({error.strerror}); make room, or check the rights."
    if out_of_memory(error):
        return "there is not enough memory; take a smaller size, fewer images or fewer jobs."
    return None
