"""A circuit as text or as a picture: encoding, one layer with the number of its repeats, readout. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.entanglers import ENTANGLERS, is_diagonal, required
from hqgan.errors import UserError
from hqgan.wording import plural

MOST_QUBITS = 64
"""Most qubits of a drawing; with more it would be too narrow to read."""
JOINTS = {symbol for entangler in ENTANGLERS.values() for symbol in entangler.symbols or ()}
"""Symbols that are drawn on the wire, without a box."""


@dataclass(frozen=True)
class Column:
    """What stands above each other: a symbol on some qubits, and lines that join two of them."""

    symbols: dict[int, str]
    joins: tuple[tuple[int, int], ...] = ()


def columns(ansatz: Ansatz) -> tuple[list[Column], list[Column], list[Column]]:
    """Columns of the encoding, of one layer and of the readout, from left to right; UserError beyond 64 qubits."""
    if ansatz.qubits > MOST_QUBITS:
        raise UserError(f"A drawing has up to {MOST_QUBITS} qubits, not {ansatz.qubits}; see `hqgan circuits info`.")
    everywhere = range(ansatz.qubits)
    encoding = [Column({q: f"{gate.upper()}(x{q})" for q in everywhere}) for gate in ansatz.encoding]
    layer = [Column({q: gate.upper() for q in everywhere}) for gate in ansatz.rotations] + _entanglers(ansatz)
    if ansatz.probabilities:
        return encoding, layer, [Column({q: "|0>" if q < ansatz.ancillas else "p" for q in everywhere})]
    found: dict[int, list[str]] = {}
    for text, word in zip(ansatz.readout, ansatz.words, strict=True):
        for qubit, letter in word:
            found.setdefault(qubit, []).append(f"<{letter}>" if len(word) == 1 else f"<{text}>")
    return encoding, layer, [Column({q: " ".join(found[q]) for q in sorted(found)})]


def drawn(ansatz: Ansatz) -> str:
    """A circuit drawn as lines of text, qubit 0 first."""
    n = ansatz.qubits
    encoding, layer, readout = columns(ansatz)
    number = len(f"q{n - 1}")
    wires = [f"q{q}".ljust(number) + " " for q in range(n)]
    gaps = [" " * (number + 1)] * (n - 1)

    def add(column: Column) -> None:
        width = max(len(symbol) for symbol in column.symbols.values())
        for q in range(n):
            symbol = column.symbols.get(q, "─" * width)
            if any(min(pair) < q < max(pair) for pair in column.joins) and q not in column.symbols:
                symbol = "┼".center(width, "─")
            wires[q] += "─" + symbol.center(width, "─") + "─"
        for q in range(n - 1):
            joined = any(min(pair) <= q < max(pair) for pair in column.joins)
            gaps[q] += " " + ("│" if joined else " ").center(width) + " "

    def bar(symbol: str) -> None:
        wires[:] = [wire + symbol for wire in wires]
        gaps[:] = [gap + symbol for gap in gaps]

    for column in encoding:
        add(column)
    if ansatz.layers:
        bar("┊")
        for column in layer:
            add(column)
        bar("┊")
    for column in readout:
        add(Column({q: column.symbols.get(q, "") for q in range(n)}))
    lines = [line for pair in zip(wires, [*gaps, ""], strict=True) for line in pair][:-1]
    times = f"Between the dotted lines: a layer, {plural(ansatz.layers, 'time')}, with weights of its own."
    return "\n".join([line.rstrip() for line in lines] + (["", times] if ansatz.layers else []))


def draw(ansatz: Ansatz, path: Path) -> None:
    """Draw a circuit into a file, .svg or .png."""
    check_ending(path)
    from matplotlib.figure import Figure

    encoding, layer, readout = columns(ansatz)
    layer = layer if ansatz.layers else []
    widths = [0.55 + 0.13 * max(len(s) for s in c.symbols.values()) for c in (*encoding, *layer, *readout)]
    figure = Figure(figsize=(1.2 + sum(widths) * 0.8, 0.8 + 0.42 * ansatz.qubits), layout="constrained")
    axis = figure.add_subplot()
    axis.set_axis_off()
    axis.set_ylim(ansatz.qubits - 0.3, -1.2)
    axis.set_xlim(-0.7, sum(widths) + 0.2)
    box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": "#334155", "lw": 0.8}
    for q in range(ansatz.qubits):
        axis.plot((-0.15, sum(widths) - widths[-1] / 2), (q, q), color="#94a3b8", lw=1, zorder=0)
        axis.text(-0.25, q, f"q{q}", ha="right", va="center", fontsize=9, family="monospace")
    x = 0.0
    for i, (column, width) in enumerate(zip((*encoding, *layer, *readout), widths, strict=True)):
        if layer and i == len(encoding):
            start = x
        for a, b in column.joins:
            axis.plot((x + width / 2,) * 2, (a, b), color="#334155", lw=1, zorder=1)
        for q, symbol in column.symbols.items():
            joint = symbol in JOINTS
            size, frame = (12, None) if joint else (9, box)
            axis.text(x + width / 2, q, symbol, ha="center", va="center", fontsize=size, bbox=frame, zorder=2)
        x += width
        if layer and i == len(encoding) + len(layer) - 1:
            low, high = -0.55, ansatz.qubits - 0.45
            axis.fill_between((start, x), low, high, color="#0f766e", alpha=0.08, lw=0, zorder=-1)
            axis.text((start + x) / 2, -0.8, f"x {ansatz.layers}", ha="center", color="#0f766e", fontsize=11)
    save(figure, path)


def check_ending(path: Path) -> None:
    """Raise UserError unless a picture's name ends in .svg or .png."""
    if path.suffix not in {".svg", ".png"}:
        raise UserError(f"{path} is no .svg or .png; choose such a name for `out`.")


def save(figure: Any, path: Path) -> None:
    """Write a matplotlib figure; the same figure gives the same bytes."""
    figure.savefig(path, **({"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 150}))


def _entanglers(ansatz: Ansatz) -> list[Column]:
    """Pairs in as few columns as fit. Diagonal gates commute, so each goes where there is room; others keep their order."""
    if not ansatz.pairs:
        return []
    one, other = required(ansatz.entangler, "symbols", "A drawing")
    commute = is_diagonal(ansatz.entangler, "A drawing")
    found: list[list[tuple[int, int]]] = []
    for pair in ansatz.pairs:
        span = set(range(min(pair), max(pair) + 1))
        taken = [i for i, here in enumerate(found) if any(span & set(range(min(p), max(p) + 1)) for p in here)]
        free = [i for i in range(len(found)) if i not in taken]
        if not commute:
            free = [i for i in free if i > max(taken, default=-1)]
        if free:
            found[free[0]].append(pair)
        else:
            found.append([pair])
    return [Column({q: s for a, b in here for q, s in ((a, one), (b, other))}, tuple(here)) for here in found]
