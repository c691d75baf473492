"""`hqgan circuits`: look at a circuit before training it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hqgan.cli.console import bar, say, show, write_json
from hqgan.cli.options import preset_names
from hqgan.errors import UserError

if TYPE_CHECKING:
    from hqgan.circuits.ansatz import Ansatz
    from hqgan.config import GeneratorConfig

app = typer.Typer(help="Look at circuits: draw them, count and time them, see what they reach.", no_args_is_help=True)

FIELDS = {
    "hybrid": {"--qubits": "generator.circuit.qubits", "--depth": "generator.circuit.layers"},
    "mosaiq": {"--qubits": "generator.qubits", "--depth": "generator.layers"},
    "pqwgan": {"--depth": "generator.layers"},
    "latentqgan": {"--depth": "generator.layers"},
}
"""What options change, by kind of generator."""

PresetArgument = Annotated[
    str, typer.Argument(help="A preset with circuits, see `hqgan presets`.", autocompletion=preset_names)
]
QubitsOption = Annotated[int | None, typer.Option("--qubits", min=1, help="Instead of the preset's.")]
DepthOption = Annotated[int | None, typer.Option("--depth", min=0, help="Layers, instead of the preset's.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Any field: --set generator.circuit.entangler=cnot")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the result as JSON to this file.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of random angles and weights.")]
PlotOption = Annotated[Path | None, typer.Option("--out", help="Draw a plot into this file, .svg or .png.")]


@app.command()
def draw(
    preset: PresetArgument = "paper",
    qubits: QubitsOption = None,
    depth: DepthOption = None,
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Draw a picture into this file, .svg or .png.")] = None,
) -> None:
    """Draw a preset's circuit, as text or into a file."""
    from hqgan.circuits.analysis import drawing

    ansatz = _ansatz(preset, qubits, depth, set_)
    if out is None:
        print(drawing.drawn(ansatz))
        return
    drawing.draw(ansatz, out)
    print(f"The circuit is drawn in {out}.")


@app.command()
def info(
    preset: PresetArgument = "paper",
    qubits: QubitsOption = None,
    depth: DepthOption = None,
    set_: SetOption = None,
    machine: Annotated[
        list[str] | None, typer.Option("--machine", help="Transpile to this fake machine; as often as wanted.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Parameters, depth, gates and light cones of a preset's circuit, and what a gradient costs here."""
    from hqgan.circuits.analysis import info as infos

    found = infos.circuit_info(_ansatz(preset, qubits, depth, set_), machine or [])
    write_json(json_file, asdict(found))
    show(infos.info_table(found))


@app.command()
def expressivity(
    preset: PresetArgument = "hqgan",
    qubits: QubitsOption = None,
    depths: Annotated[str, typer.Option("--depths", help="Layers, with commas.")] = "0,1,2,4,8",
    set_: SetOption = None,
    pairs: Annotated[int, typer.Option("--pairs", min=10, help="Pairs of random states.")] = 2000,
    seed: SeedOption = 0,
    json_file: JsonOption = None,
) -> None:
    """How near a circuit's states are to Haar-random ones, and how entangled, by depth (arXiv 1905.10876)."""
    from hqgan.circuits.analysis import sweeps

    values = _numbers(depths, "--depths", 0)
    with bar("circuits", "circuits") as update:
        found = sweeps.sweep_expressivity(
            [_ansatz(preset, qubits, depth, set_) for depth in values], pairs, seed, update
        )
    write_json(json_file, [asdict(row) for row in found])
    show(sweeps.expressivity_table(found))


@app.command()
def gradients(
    preset: PresetArgument = "hqgan",
    qubits: Annotated[
        str | None, typer.Option("--qubits", help="With commas. (default: 2,4,6,8,10,12, or the preset's if fixed)")
    ] = None,
    depths: Annotated[str, typer.Option("--depths", help="Layers, with commas.")] = "1,2,4,8,16",
    set_: SetOption = None,
    samples: Annotated[int, typer.Option("--samples", min=10, help="Random circuits of each size.")] = 500,
    seed: SeedOption = 0,
    json_file: JsonOption = None,
    out: PlotOption = None,
) -> None:
    """Variance of a weight's gradient against qubits and depth: the barren-plateau plot (arXiv 1803.11173)."""
    from hqgan.circuits.analysis import drawing, sweeps

    if out is not None:  # before the work, not after it
        drawing.check_ending(out)
    widths: list[int | None] = [None]
    if qubits is not None or "--qubits" in FIELDS.get(_generator(preset, set_).kind, {}):
        widths = [*_numbers(qubits or "2,4,6,8,10,12", "--qubits", 1)]
    layers = _numbers(depths, "--depths", 1)
    ansatzes = [_ansatz(preset, n, depth, set_) for depth in layers for n in widths]
    with bar("circuits", "circuits") as update:
        found = sweeps.sweep_gradients(ansatzes, samples, seed, _start(preset, set_), update)
    write_json(json_file, asdict(found))
    if out is not None:
        sweeps.plot_gradients(found, out)
    show(sweeps.gradients_table(found))


@app.command()
def noise(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a checkpoint's .json.")],
    shots: Annotated[
        str, typer.Option("--shots", help="Measurements of a circuit in a basis, with commas.")
    ] = "64,256,1024,4096",
    errors: Annotated[
        str, typer.Option("--errors", help="Depolarising errors of two-qubit gates, with commas; a tenth for others.")
    ] = "0.01",
    machines: Annotated[
        str, typer.Option("--machines", help="Fake machines, with commas; empty for none.")
    ] = "brisbane",
    mitigation: Annotated[
        str, typer.Option("--mitigation", help="Levels of IBM's error mitigation, with commas.")
    ] = "0,1",
    images: Annotated[
        int, typer.Option("--images", min=0, help="Measure so many images too, with each noise at the most shots.")
    ] = 0,
    data: Annotated[str | None, typer.Option("--data", help="The real data, instead of the run's own path.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of latents, shots and transpilation.")] = 0,
    json_file: JsonOption = None,
    out: PlotOption = None,
) -> None:
    """What shots and noise do to a run's readouts and, with --images, to its images: the paper's hardware table."""
    from hqgan.circuits.analysis import drawing
    from hqgan.evaluation import hardware_noise as study

    if out is not None:
        drawing.check_ending(out)
    names = [name.strip() for name in machines.split(",") if name.strip()]
    numbers = _numbers(shots, "--shots", 1), _shares(errors, "--errors"), names, _numbers(mitigation, "--mitigation", 0)
    with bar("settings", "settings") as update:
        found = study.noise(run, *numbers, images, data, seed, say=say, progress=update)
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
                f"The circuits of preset {preset} take no {option}; see its fields by `hqgan train --dry-run`."
            )
    ansatz = circuit_of(configs.preset(preset, changes))
    if ansatz is None:
        raise UserError(f"The preset {preset} has no circuits; take one with qubits, see `hqgan presets`.")
    return ansatz


def _generator(preset: str, set_: list[str] | None) -> GeneratorConfig:
    from hqgan import config as configs

    return configs.preset(preset, configs.parse_assignments(set_ or [])).generator


def _start(preset: str, set_: list[str] | None) -> float:
    """Below what weights start, in radians; the peers' start as the paper's."""
    from hqgan import config as configs

    generator = _generator(preset, set_)
    return generator.circuit.start if isinstance(generator, configs.HybridConfig) else 1.0


def _numbers(text: str, option: str, least: int) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise UserError(f"{option} takes whole numbers from {least} on, with commas, as in 1,2,4, not {text!r}.")
    return [int(part) for part in parts]


def _shares(text: str, option: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [-1.0]
    if not all(0 < value <= 1 for value in found):
        raise UserError(
            f"{option} takes probabilities above 0 and up to 1, with commas, as in 0.001,0.01, not {text!r}."
        )
    return found
