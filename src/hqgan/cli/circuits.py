"""`hqgan circuits`: look at a circuit before training it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hqgan.cli import options
from hqgan.cli.options import ADVANCED, DATA, MODEL, Lists, numbers, option, seed_of, several, split, whole_numbers
from hqgan.cli.output import show_result
from hqgan.errors import UserError
from hqgan.reporter import Terminal

if TYPE_CHECKING:
    from hqgan.circuits.ansatz import Ansatz

app = typer.Typer(
    name="circuits",
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

Qubits = Annotated[int | None, option(MODEL, "Number of qubits. (default: the preset's)", min=1)]
Depth = Annotated[int | None, option(MODEL, "Number of layers. (default: the preset's)", min=0)]

TRANSPILED_HELP = "Fake machines of qiskit-ibm-runtime for which the circuit is transpiled, such as brisbane."
WIDTHS_HELP = "Numbers of qubits. (default: 2 4 6 8 10 12, or the preset's if it cannot be changed)"
IMAGES_HELP = "Number of images to generate and evaluate with each noise, at the largest number of shots; 0 for none."
ERRORS_HELP = (
    "Depolarising error probabilities of two-qubit gates; single-qubit gates have a tenth of it. (default: 0.01)"
)
MACHINES_HELP = "Fake machines of qiskit-ibm-runtime whose noise is simulated; '' for none. (default: brisbane)"
SHOTS_HELP = "Measurements of a circuit per basis. (default: 64 256 1024 4096)"
MITIGATION_HELP = "Levels of IBM's error mitigation: 0, 1 or 2. (default: 0 1)"


def _depths(default: str) -> Any:
    return several(MODEL, "NUMBER", f"Numbers of layers. (default: {default})")


@app.command(cls=Lists)
def draw(
    preset: options.Preset = "paper",
    qubits: Qubits = None,
    depth: Depth = None,
    set_: options.Set = None,
    out: options.Picture = None,
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
    preset: options.Preset = "paper",
    qubits: Qubits = None,
    depth: Depth = None,
    set_: options.Set = None,
    machines: Annotated[list[str] | None, several(ADVANCED, "NAME", TRANSPILED_HELP, "--machines", "--machine")] = None,
    json_file: options.Json = None,
) -> None:
    """Count the parameters, depth, gates and light cones of a preset's circuit, and time a gradient on this machine."""
    from hqgan.circuits.analysis import info as infos

    found = infos.circuit_info(_ansatz(preset, qubits, depth, set_), split(machines))
    show_result(json_file, asdict(found), infos.info_table(found))


@app.command(cls=Lists)
def expressivity(
    preset: options.Preset = "hqgan",
    qubits: Qubits = None,
    depths: Annotated[list[str] | None, _depths("0 1 2 4 8")] = None,
    set_: options.Set = None,
    pairs: Annotated[int, option(ADVANCED, "Number of pairs of random states per circuit.", min=10)] = 2000,
    seed: Annotated[int, seed_of("angles and weights")] = 0,
    json_file: options.Json = None,
) -> None:
    """Measure how close a circuit's states are to Haar-random states, and how entangled, by depth (arXiv 1905.10876)."""
    from hqgan.circuits.analysis import sweeps

    layers = whole_numbers(depths or ["0,1,2,4,8"], "--depths", 0)
    ansatzes = [_ansatz(preset, qubits, depth, set_) for depth in layers]
    with Terminal() as reporter:
        found = sweeps.sweep_expressivity(ansatzes, pairs, seed, reporter)
    show_result(json_file, [asdict(row) for row in found], sweeps.expressivity_table(found))


@app.command(cls=Lists)
def gradients(
    preset: options.Preset = "hqgan",
    qubits: Annotated[list[str] | None, several(MODEL, "NUMBER", WIDTHS_HELP)] = None,
    depths: Annotated[list[str] | None, _depths("1 2 4 8 16")] = None,
    set_: options.Set = None,
    samples: Annotated[int, option(ADVANCED, "Number of random circuits of each size.", min=10)] = 500,
    seed: Annotated[int, seed_of("angles and weights")] = 0,
    out: options.Picture = None,
    json_file: options.Json = None,
) -> None:
    """Measure the variance of a weight's gradient by qubits and depth: the barren-plateau plot (arXiv 1803.11173)."""
    from hqgan import config as configs
    from hqgan.circuits.analysis import drawing, sweeps

    if out is not None:  # before the work, not after it
        drawing.check_ending(out)
    widths: list[int | None] = [None]
    generator = configs.preset(preset, configs.parse_assignments(set_ or [])).generator
    if qubits is not None or "--qubits" in FIELDS.get(generator.kind, {}):
        widths = [*whole_numbers(qubits or ["2,4,6,8,10,12"], "--qubits", 1)]
    layers = whole_numbers(depths or ["1,2,4,8,16"], "--depths", 1)
    ansatzes = [_ansatz(preset, n, depth, set_) for depth in layers for n in widths]
    # Initial weights are uniform from 0 to this many radians; 1, as in the paper, for the other generators.
    start = generator.circuit.start if isinstance(generator, configs.HybridConfig) else 1.0
    with Terminal() as reporter:
        found = sweeps.sweep_gradients(ansatzes, samples, seed, start, reporter)
    show_result(json_file, asdict(found), sweeps.gradients_table(found))
    if out is not None:
        sweeps.plot_gradients(found, out)


@app.command(cls=Lists)
def noise(
    run: options.Run,
    data: options.RealData = None,
    images: Annotated[int, option(DATA, IMAGES_HELP, min=0)] = 0,
    shots: Annotated[list[str] | None, several(MODEL, "NUMBER", SHOTS_HELP)] = None,
    errors: Annotated[list[str] | None, several(MODEL, "NUMBER", ERRORS_HELP)] = None,
    machines: Annotated[list[str] | None, several(MODEL, "NAME", MACHINES_HELP)] = None,
    mitigation: Annotated[list[str] | None, several(MODEL, "LEVEL", MITIGATION_HELP)] = None,
    seed: Annotated[int, seed_of("latents, shots and transpilation")] = 0,
    out: options.Picture = None,
    json_file: options.Json = None,
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
    show_result(json_file, found, *study.table(found))
    if out is not None:
        study.plot(found, out)


def _ansatz(preset: str, qubits: int | None, depth: int | None, set_: list[str] | None) -> Ansatz:
    from hqgan import config as configs
    from hqgan.models.build import circuit_of

    changes = configs.parse_assignments(set_ or [])
    fields = FIELDS.get(configs.preset(preset, changes).generator.kind, {})
    for flag, value in (("--qubits", qubits), ("--depth", depth)):
        if value is not None and flag in fields:
            changes[fields[flag]] = value
        elif value is not None and fields:
            raise UserError(
                f"The circuits of preset {preset} take no {flag}; see its fields by `hqgan config {preset}`."
            )
    ansatz = circuit_of(configs.preset(preset, changes))
    if ansatz is None:
        raise UserError(f"The preset {preset} has no circuits; take one with qubits, see `hqgan presets`.")
    return ansatz
