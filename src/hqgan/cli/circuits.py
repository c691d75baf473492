"""`hqgan circuits`: look at a circuit before training it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hqgan.cli.options import (
    ADVANCED,
    DATA,
    MODEL,
    JsonOption,
    Lists,
    PictureOption,
    PresetArgument,
    RealDataOption,
    RunArgument,
    SetOption,
    numbers,
    seed_of,
    split,
    whole_numbers,
)
from hqgan.cli.output import show, write_json
from hqgan.cli.progress import Terminal
from hqgan.errors import UserError

if TYPE_CHECKING:
    from hqgan.circuits.ansatz import Ansatz
    from hqgan.config import GeneratorConfig

app = typer.Typer(
    help="Draw circuits, count their gates, and measure time, expressivity, gradients and noise.",
    no_args_is_help=True,
)

FIELDS = {
    "hybrid": {"--qubits": "generator.circuit.qubits", "--depth": "generator.circuit.layers"},
    "mosaiq": {"--qubits": "generator.qubits", "--depth": "generator.layers"},
    "pqwgan": {"--depth": "generator.layers"},
    "latentqgan": {"--depth": "generator.layers"},
}
"""The fields that these options set, by kind of generator."""

QubitsOption = Annotated[
    int | None,
    typer.Option("--qubits", min=1, help="Number of qubits. (default: the preset's)", rich_help_panel=MODEL),
]
DepthOption = Annotated[
    int | None,
    typer.Option("--depth", min=0, help="Number of layers. (default: the preset's)", rich_help_panel=MODEL),
]
MachinesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--machines",
        "--machine",
        metavar="NAME ...",
        help="Fake machines of qiskit-ibm-runtime for which the circuit is transpiled, such as brisbane.",
        rich_help_panel=ADVANCED,
    ),
]


def _depths(default: str) -> Any:
    help_ = f"Numbers of layers. (default: {default})"
    return typer.Option("--depths", metavar="NUMBER ...", help=help_, rich_help_panel=MODEL)


@app.command(cls=Lists)
def draw(
    preset: PresetArgument = "paper",
    qubits: QubitsOption = None,
    depth: DepthOption = None,
    set_: SetOption = None,
    out: PictureOption = None,
) -> None:
    """Draw the circuit of a preset, as text or into a picture."""
    from hqgan.circuits.analysis import drawing

    ansatz = _ansatz(preset, qubits, depth, set_)
    if out is None:
        print(drawing.drawn(ansatz))
        return
    drawing.draw(ansatz, out)
    print(f"The circuit is drawn in {out}.")


@app.command(cls=Lists)
def info(
    preset: PresetArgument = "paper",
    qubits: QubitsOption = None,
    depth: DepthOption = None,
    set_: SetOption = None,
    machines: MachinesOption = None,
    json_file: JsonOption = None,
) -> None:
    """Count the parameters, depth, gates and light cones of a preset's circuit, and time a gradient on this machine."""
    from hqgan.circuits.analysis import info as infos

    found = infos.circuit_info(_ansatz(preset, qubits, depth, set_), split(machines))
    write_json(json_file, asdict(found))
    show(infos.info_table(found))


@app.command(cls=Lists)
def expressivity(
    preset: PresetArgument = "hqgan",
    qubits: QubitsOption = None,
    depths: Annotated[list[str] | None, _depths("0 1 2 4 8")] = None,
    set_: SetOption = None,
    pairs: Annotated[
        int,
        typer.Option("--pairs", min=10, help="Number of pairs of random states per circuit.", rich_help_panel=ADVANCED),
    ] = 2000,
    seed: Annotated[int, seed_of("angles and weights")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Measure how close a circuit's states are to Haar-random states, and how entangled, by depth (arXiv 1905.10876)."""
    from hqgan.circuits.analysis import sweeps

    values = whole_numbers(depths or ["0,1,2,4,8"], "--depths", 0)
    with Terminal() as reporter:
        found = sweeps.sweep_expressivity(
            [_ansatz(preset, qubits, depth, set_) for depth in values], pairs, seed, reporter
        )
    write_json(json_file, [asdict(row) for row in found])
    show(sweeps.expressivity_table(found))


@app.command(cls=Lists)
def gradients(
    preset: PresetArgument = "hqgan",
    qubits: Annotated[
        list[str] | None,
        typer.Option(
            "--qubits",
            metavar="NUMBER ...",
            help="Numbers of qubits. (default: 2 4 6 8 10 12, or the preset's if it cannot be changed)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    depths: Annotated[list[str] | None, _depths("1 2 4 8 16")] = None,
    set_: SetOption = None,
    samples: Annotated[
        int,
        typer.Option("--samples", min=10, help="Number of random circuits of each size.", rich_help_panel=ADVANCED),
    ] = 500,
    seed: Annotated[int, seed_of("angles and weights")] = 0,
    out: PictureOption = None,
    json_file: JsonOption = None,
) -> None:
    """Measure the variance of a weight's gradient by qubits and depth: the barren-plateau plot (arXiv 1803.11173)."""
    from hqgan.circuits.analysis import drawing, sweeps

    if out is not None:  # before the work, not after it
        drawing.check_ending(out)
    widths: list[int | None] = [None]
    if qubits is not None or "--qubits" in FIELDS.get(_generator(preset, set_).kind, {}):
        widths = [*whole_numbers(qubits or ["2,4,6,8,10,12"], "--qubits", 1)]
    layers = whole_numbers(depths or ["1,2,4,8,16"], "--depths", 1)
    ansatzes = [_ansatz(preset, n, depth, set_) for depth in layers for n in widths]
    with Terminal() as reporter:
        found = sweeps.sweep_gradients(ansatzes, samples, seed, _start(preset, set_), reporter)
    write_json(json_file, asdict(found))
    if out is not None:
        sweeps.plot_gradients(found, out)
    show(sweeps.gradients_table(found))


@app.command(cls=Lists)
def noise(
    run: RunArgument,
    data: RealDataOption = None,
    images: Annotated[
        int,
        typer.Option(
            "--images",
            min=0,
            help="Number of images to generate and evaluate with each noise, at the largest number of shots; 0 for none.",
            rich_help_panel=DATA,
        ),
    ] = 0,
    shots: Annotated[
        list[str] | None,
        typer.Option(
            "--shots",
            metavar="NUMBER ...",
            help="Measurements of a circuit per basis. (default: 64 256 1024 4096)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    errors: Annotated[
        list[str] | None,
        typer.Option(
            "--errors",
            metavar="NUMBER ...",
            help="Depolarising error probabilities of two-qubit gates; single-qubit gates have a tenth of it. (default: 0.01)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    machines: Annotated[
        list[str] | None,
        typer.Option(
            "--machines",
            metavar="NAME ...",
            help="Fake machines of qiskit-ibm-runtime whose noise is simulated; '' for none. (default: brisbane)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    mitigation: Annotated[
        list[str] | None,
        typer.Option(
            "--mitigation",
            metavar="LEVEL ...",
            help="Levels of IBM's error mitigation: 0, 1 or 2. (default: 0 1)",
            rich_help_panel=MODEL,
        ),
    ] = None,
    seed: Annotated[int, seed_of("latents, shots and transpilation")] = 0,
    out: PictureOption = None,
    json_file: JsonOption = None,
) -> None:
    """Measure what shots and noise do to the readouts of a run and, with --images, to its images.

    This is the paper's table of results on hardware.
    """
    from hqgan.circuits.analysis import drawing
    from hqgan.evaluation import hardware_noise as study

    if out is not None:
        drawing.check_ending(out)
    levels = whole_numbers(mitigation or ["0,1"], "--mitigation", 0)
    names = split(machines if machines is not None else ["brisbane"])
    counts = whole_numbers(shots or ["64,256,1024,4096"], "--shots", 1)
    settings = counts, numbers(errors or ["0.01"], "--errors", 1), names, levels
    with Terminal() as reporter:
        found = study.noise(run, *settings, images, data, seed, reporter=reporter)
    write_json(json_file, found)
    if out is not None:
        study.plot(found, out)
    show(*study.table(found))


def _ansatz(preset: str, qubits: int | None, depth: int | None, set_: list[str] | None) -> Ansatz:
    from hqgan import config as configs
    from hqgan.models.build import circuit_of

    changes = configs.parse_assignments(set_ or [])
    fields = FIELDS.get(_generator(preset, set_).kind, {})
    for option, value in (("--qubits", qubits), ("--depth", depth)):
        if value is not None and option in fields:
            changes[fields[option]] = value
        elif value is not None and fields:
            raise UserError(
                f"The circuits of preset {preset} take no {option}; see its fields by `hqgan config {preset}`."
            )
    ansatz = circuit_of(configs.preset(preset, changes))
    if ansatz is None:
        raise UserError(f"The preset {preset} has no circuits; take one with qubits, see `hqgan presets`.")
    return ansatz


def _generator(preset: str, set_: list[str] | None) -> GeneratorConfig:
    from hqgan import config as configs

    return configs.preset(preset, configs.parse_assignments(set_ or [])).generator


def _start(preset: str, set_: list[str] | None) -> float:
    """Initial weights are uniform from 0 to this many radians; 1, as in the paper, for the other generators."""
    from hqgan import config as configs

    generator = _generator(preset, set_)
    return generator.circuit.start if isinstance(generator, configs.HybridConfig) else 1.0
