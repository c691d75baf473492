"""`analysis` over depths and widths, as tables and a plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hqgan.circuits.analysis.drawing import check_ending, save
from hqgan.circuits.analysis.expressivity import entanglement, gradient_variance
from hqgan.circuits.analysis.expressivity import expressivity as divergence
from hqgan.circuits.ansatz import Ansatz

Progress = Callable[[int, int], None]


def expressivity(ansatzes: Sequence[Ansatz], pairs: int, seed: int, progress: Progress) -> list[dict[str, Any]]:
    """A row for each circuit: qubits, layers, divergence from Haar-random states in nats, mean Meyer-Wallach measure."""
    rows = []
    for i, ansatz in enumerate(ansatzes):
        progress(i, len(ansatzes))
        rows.append(
            {
                "qubits": ansatz.qubits,
                "layers": ansatz.layers,
                "divergence_from_haar": divergence(ansatz, pairs, seed),
                "entanglement": entanglement(ansatz, seed=seed),
            }
        )
    progress(len(ansatzes), len(ansatzes))
    return rows


def expressivity_table(rows: Sequence[dict[str, Any]]) -> Any:
    """A rich table of `expressivity`'s result."""
    from rich.table import Table

    table = Table(caption="Divergence 0: states as random as can be. Entanglement 0: product states; 1: the most.")
    for title in ("qubits", "layers", "divergence from Haar, nats", "Meyer-Wallach entanglement"):
        table.add_column(title, justify="right")
    for row in rows:
        values = f"{row['divergence_from_haar']:.3f}", f"{row['entanglement']:.3f}"
        table.add_row(f"{row['qubits']}", f"{row['layers']}", *values)
    return table


def gradients(ansatzes: Sequence[Ansatz], samples: int, seed: int, start: float, progress: Progress) -> dict[str, Any]:
    """Variances for each circuit: weights over a full turn, and as a preset starts them, in [0, start)."""
    rows = []
    for i, ansatz in enumerate(ansatzes):
        progress(i, len(ansatzes))
        variances = {
            "full_turn": gradient_variance(ansatz, samples, seed),
            "start": gradient_variance(ansatz, samples, seed, start),
        }
        rows.append({"qubits": ansatz.qubits, "layers": ansatz.layers, "variance": variances})
    progress(len(ansatzes), len(ansatzes))
    return {"samples": samples, "seed": seed, "start": start, "rows": rows}


def gradients_table(found: dict[str, Any]) -> Any:
    """A rich table of `gradients`' result: a row for each depth, a column for each width."""
    from rich.table import Table

    widths = sorted({row["qubits"] for row in found["rows"]})
    table = Table(
        caption=f"Variance over {found['samples']} draws; weights over a full turn / in [0, {found['start']:g})."
    )
    table.add_column("layers", justify="right")
    for n in widths:
        table.add_column(f"{n} qubits", justify="right")
    for layers in sorted({row["layers"] for row in found["rows"]}):
        cells = {row["qubits"]: row["variance"] for row in found["rows"] if row["layers"] == layers}
        table.add_row(f"{layers}", *(f"{cells[n]['full_turn']:.1e} / {cells[n]['start']:.1e}" for n in widths))
    return table


def plot_gradients(found: dict[str, Any], path: Path) -> None:
    """Draw `gradients`' result against qubits, a line for each depth."""
    check_ending(path)
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    depths = sorted({row["layers"] for row in found["rows"]})
    titles = {
        "full_turn": "weights over a full turn",
        "start": f"weights in [0, {found['start']:g}), the preset's start",
    }
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (kind, title) in zip(axes, titles.items(), strict=True):
        for depth, color in zip(depths, colormaps["viridis"](np.linspace(0, 0.9, len(depths))), strict=True):
            rows = sorted((r["qubits"], r["variance"][kind]) for r in found["rows"] if r["layers"] == depth)
            label = f"{depth} layer{'s' if depth > 1 else ''}"
            axis.plot(*zip(*rows, strict=True), marker="o", ms=4, color=color, label=label)
        axis.set_yscale("log")
        axis.set_xlabel("qubits")
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("variance of a weight's gradient")
    axes[0].legend(frameon=False, fontsize=8)
    save(figure, path)
