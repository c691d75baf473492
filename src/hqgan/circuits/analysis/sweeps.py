"""Expressivity and gradients of many circuits, over depths and widths, as tables and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hqgan.circuits.analysis.drawing import check_ending, save
from hqgan.circuits.analysis.measures import entanglement, expressivity, gradient_variance
from hqgan.circuits.ansatz import Ansatz
from hqgan.reporter import SILENT, Reporter
from hqgan.wording import plural

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class ExpressivityRow:
    """One circuit: its divergence from Haar-random states in nats, and its mean Meyer-Wallach measure."""

    qubits: int
    layers: int
    divergence_from_haar: float
    entanglement: float


@dataclass(frozen=True)
class Variances:
    """A gradient's variance with weights over a full turn, and with weights as a preset starts them."""

    full_turn: float
    start: float


@dataclass(frozen=True)
class GradientRow:
    """One circuit's gradient variances."""

    qubits: int
    layers: int
    variance: Variances


@dataclass(frozen=True)
class GradientSweep:
    """Gradient variances of several circuits.

    Attributes:
        samples: random draws for each variance.
        seed: of the draws.
        start: a preset's weights start uniform in [0, start) radians.
        rows: one for each circuit.
    """

    samples: int
    seed: int
    start: float
    rows: tuple[GradientRow, ...]


def sweep_expressivity(
    ansatzes: Sequence[Ansatz], pairs: int, seed: int, reporter: Reporter = SILENT
) -> list[ExpressivityRow]:
    """Measure each circuit over `pairs` of random states."""
    return [
        ExpressivityRow(a.qubits, a.layers, expressivity(a, pairs, seed), entanglement(a, seed=seed))
        for a in _reported(ansatzes, reporter)
    ]


def expressivity_table(rows: Sequence[ExpressivityRow]) -> Table:
    """A rich table with a row for each circuit."""
    from rich.table import Table

    table = Table(caption="Divergence 0: states as random as can be. Entanglement 0: product states; 1: the most.")
    for title in ("qubits", "layers", "divergence from Haar, nats", "Meyer-Wallach entanglement"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(f"{row.qubits}", f"{row.layers}", f"{row.divergence_from_haar:.3f}", f"{row.entanglement:.3f}")
    return table


def sweep_gradients(
    ansatzes: Sequence[Ansatz], samples: int, seed: int, start: float, reporter: Reporter = SILENT
) -> GradientSweep:
    """Measure each circuit's gradient variance with weights over a full turn, and in [0, start) as a preset starts them."""
    rows = []
    for i, ansatz in enumerate(ansatzes):
        reporter.progress("circuits", 2 * i, 2 * len(ansatzes), "variances")
        full_turn = gradient_variance(ansatz, samples, seed)
        reporter.progress("circuits", 2 * i + 1, 2 * len(ansatzes), "variances")
        variances = Variances(full_turn, gradient_variance(ansatz, samples, seed, start))
        rows.append(GradientRow(ansatz.qubits, ansatz.layers, variances))
    reporter.progress("circuits", 2 * len(ansatzes), 2 * len(ansatzes), "variances")
    return GradientSweep(samples, seed, start, tuple(rows))


def _reported(ansatzes: Sequence[Ansatz], reporter: Reporter) -> Iterator[Ansatz]:
    """Each circuit, with its number reported."""
    for i, ansatz in enumerate(ansatzes):
        reporter.progress("circuits", i, len(ansatzes), "circuits")
        yield ansatz
    reporter.progress("circuits", len(ansatzes), len(ansatzes), "circuits")


def gradients_table(sweep: GradientSweep) -> Table:
    """A rich table with a row for each depth and a column for each width."""
    from rich.table import Table

    widths = sorted({row.qubits for row in sweep.rows})
    table = Table(caption=f"Variance over {sweep.samples} draws; weights over a full turn / in [0, {sweep.start:g}).")
    table.add_column("layers", justify="right")
    for n in widths:
        table.add_column(f"{n} qubits", justify="right")
    for layers in sorted({row.layers for row in sweep.rows}):
        cells = {row.qubits: row.variance for row in sweep.rows if row.layers == layers}
        table.add_row(f"{layers}", *(f"{cells[n].full_turn:.1e} / {cells[n].start:.1e}" for n in widths))
    return table


def plot_gradients(sweep: GradientSweep, path: Path) -> None:
    """Plot gradient variance against qubits into a .svg or .png, a line for each depth."""
    check_ending(path)
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    depths = sorted({row.layers for row in sweep.rows})
    titles = "weights over a full turn", f"weights in [0, {sweep.start:g}), the preset's start"
    axes = figure.subplots(1, 2, sharey=True)
    for axis, kind, title in zip(axes, ("full_turn", "start"), titles, strict=True):
        for depth, color in zip(depths, colormaps["viridis"](np.linspace(0, 0.9, len(depths))), strict=True):
            points = sorted((row.qubits, getattr(row.variance, kind)) for row in sweep.rows if row.layers == depth)
            axis.plot(*zip(*points, strict=True), marker="o", ms=4, color=color, label=plural(depth, "layer"))
        axis.set_yscale("log")
        axis.set_xlabel("qubits")
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("variance of a weight's gradient")
    axes[0].legend(frameon=False, fontsize=8)
    save(figure, path)
