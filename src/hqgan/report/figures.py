"""The charts of a report, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0b6e75", "#c1442e", "#6a5acd", "#b58900", "#3a7d44", "#8c4a86", "#5b666e")
"""Colours that readers with red-green colour blindness can distinguish; each series also has its own marker."""

MARKERS = "osD^vP*"
GREY = "#5b666e"

REFERENCES = (("real vs. real", 0.0), ("simple baseline", 1.0))
"""Names and values of the references of a normalised distance."""


def svg(figure: Figure) -> str:
    """A figure as an SVG element; the same figure always gives the same text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "hqgan", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def axes(width: float, height: float, x: str, y: str = "", grid: Literal["both", "x"] = "both") -> tuple[Figure, Any]:
    """A figure with one panel in the style of the report.

    Args:
        width: in inches.
        height: in inches.
        x: label of the x axis.
        y: label of the y axis.
        grid: axis with grid lines.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    panel = figure.add_subplot()
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=9)
    panel.set_xlabel(x, fontsize=9)
    panel.set_ylabel(y, fontsize=9)
    panel.grid(axis=grid, color="#e3e7ea", lw=0.7)
    panel.set_axisbelow(True)
    return figure, panel


@dataclass(frozen=True)
class ForestRow:
    """A row of a forest plot: a mean and its interval. `group` sets colour and marker; None is drawn in grey."""

    name: str
    mean: float
    low: float
    high: float
    group: str | None = None


def forest(rows: Sequence[ForestRow], marks: Sequence[tuple[str, float]], label: str, normalised: bool = False) -> str:
    """A forest plot: means with intervals, one below the other, by group.

    Args:
        rows: in order; groups keep the order in which they first occur.
        marks: labels and values of dotted vertical lines.
        label: of the axis.
        normalised: whether the values are normalised distances, with their `REFERENCES` as further marks.
    """
    marks = [*marks, *(REFERENCES if normalised else ())]
    groups = list(dict.fromkeys(row.group for row in rows))
    figure, panel = axes(8.6, 0.9 + 0.26 * len(rows) + 0.2 * len(groups), label, grid="x")
    y, ticks, names = 0.0, [], []
    for place, group in enumerate(groups):
        colour, marker = (GREY, "o") if group is None else (COLOURS[(place - 1) % 7], MARKERS[(place - 1) % 7])
        for row in (r for r in rows if r.group == group):
            panel.plot([row.low, row.high], [y, y], color=colour, lw=1.6)
            panel.plot(row.mean, y, marker, color=colour, ms=5.5)
            ticks.append(y)
            names.append(row.name)
            y += 1
        y += 0.6
    for name, value in marks:
        panel.axvline(value, color=GREY, lw=0.9, ls=":", zorder=0)
        panel.text(value, -0.9, name, ha="center", va="bottom", fontsize=8, color=GREY)
    panel.set_yticks(ticks, names, fontsize=9)
    panel.set_ylim(y - 0.4, -0.9)
    lows = [row.low for row in rows] + [value for _, value in marks]
    if normalised:
        _normalised(panel, "x")
    elif 0 < 10 * min(lows) < max(row.high for row in rows):  # a far outlier would squeeze the others together
        _logarithmic(panel, "x")
    return svg(figure)


def lines(
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    x: str,
    y: str,
    scale: Literal["linear", "log", "normalised"] = "linear",
) -> str:
    """A line chart.

    Args:
        series: name, x values and y values of each line.
        x: label of the x axis.
        y: label of the y axis.
        scale: of y; ``normalised``: y is a normalised distance, with its `REFERENCES` drawn: linear up to 1, logarithmic above.
    """
    figure, panel = axes(6.8, 3.4, x, y)
    for place, (name, across, up) in enumerate(series):
        marker = MARKERS[place % 7] if len(across) <= 70 else ""
        style = ("-", "--", ":")[place // 7 % 3]
        panel.plot(across, up, marker=marker, ms=3.5, lw=1.4, ls=style, color=COLOURS[place % 7], label=name)
    if scale == "log":
        _logarithmic(panel, "y")
    elif scale == "normalised":
        _references(panel)
    if len(series) > 1:
        panel.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return svg(figure)


def dots(points: Sequence[tuple[str, float, float, bool]], x: str, y: str) -> str:
    """Named points: a normalised distance against a logarithmic axis.

    Args:
        points: name, x, y, and whether the marker is filled.
        x: label of the x axis.
        y: label of the y axis.
    """
    figure, panel = axes(6.8, 3.6, x, y)
    for name, right, up, filled in points:
        panel.plot(right, up, "o", ms=6, color=COLOURS[0], mfc=COLOURS[0] if filled else "white")
        panel.annotate(name, (right, up), xytext=(6, 3), textcoords="offset points", fontsize=8)
    across = [point[1] for point in points]
    # It spans at least a factor of four, so that points with close values also look close.
    middle, reach = (min(across) * max(across)) ** 0.5, max(2.0, 1.4 * (max(across) / min(across)) ** 0.5)
    _logarithmic(panel, "x")
    panel.set_xlim(middle / reach, middle * reach)
    _references(panel)
    return svg(figure)


def _references(panel: Any) -> None:
    """Make the y axis that of a normalised distance, with its `REFERENCES` as named lines."""
    _normalised(panel, "y")
    for name, value in REFERENCES:
        panel.axhline(value, color=GREY, lw=0.9, ls=":", zorder=0)
        panel.annotate(name, (1, value), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
                       ha="right", va="bottom", fontsize=8, color=GREY)  # fmt: skip


def _logarithmic(panel: Any, name: str) -> None:
    """Make an axis logarithmic and label it with plain numbers."""
    from matplotlib.ticker import LogLocator

    panel.set(**{f"{name}scale": "log"})
    axis = panel.xaxis if name == "x" else panel.yaxis
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)))  # labels must not overlap
    axis.set_major_formatter(lambda value, _: _plain(value))
    axis.set_minor_formatter("")


def _normalised(panel: Any, name: str) -> None:
    """Make an axis that of a normalised distance: linear from 0 to 1, where both references are seen, logarithmic above."""
    from matplotlib.ticker import NullLocator

    axis, set_scale = (panel.xaxis, panel.set_xscale) if name == "x" else (panel.yaxis, panel.set_yscale)
    low, high = axis.get_data_interval()
    low, high = min(low, 0.0), max(high, 1.0)
    set_scale("symlog", linthresh=1)
    steps = (1, 2, 5) if high < 1000 else (1,)
    above = [step * 10**power for power in range(len(f"{high:.0f}")) for step in steps]
    ticks = [sign * step for step in (0.5, *above) for sign in (-1, 1)] + [0]
    axis.set_ticks([tick for tick in ticks if low <= tick <= high])
    panel.set(**{f"{name}lim": (low - 0.12, high * 1.15)})
    axis.set_major_formatter(lambda value, _: _plain(value))
    axis.set_minor_locator(NullLocator())


def _plain(value: float) -> str:
    """A number as people write it: ``0.05``, ``2.5``, ``1,000``."""
    return f"{value:,.10g}" if abs(value) >= 1e-4 or value == 0 else f"{value:g}"
