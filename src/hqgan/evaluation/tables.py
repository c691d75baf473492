"""Tables of evaluations and extractor checks, as the command line prints them."""

from __future__ import annotations

from typing import Any

from hqgan.evaluation import latent_geometry
from hqgan.evaluation.check_extractors import Checked
from hqgan.evaluation.evaluate import Evaluation
from hqgan.metrics import skin
from hqgan.metrics.record import MetricRow
from hqgan.wording import listed


def evaluation_table(result: Evaluation) -> list[Any]:
    """Rich tables of an evaluation: over all classes, and the normalised kernel distance by class."""
    from rich.table import Table

    rows = result.metrics
    over_all = Table(
        title=f"{result.about['target']} against the test part of {result.about['data']}",
        caption="normalised: 0 is real against real, 1 the PCA-Gaussian baseline; brackets: 95 % by subsampling",
    )
    over_all.add_column("metric")
    for name in ("value", "interval", "real vs. real", "PCA-Gaussian", "normalised", "N"):
        over_all.add_column(name, justify="right")
    absent: dict[str | None, list[str]] = {}
    for row in (r for r in rows if r.class_name is None):
        if row.value is None:
            absent.setdefault(row.reason, []).append(row.label)
            continue
        interval = "" if row.low is None else f"{row.low:.3g} to {row.high:.3g}"
        cells = [_number(value) for value in (row.real_reference, row.baseline, row.normalised)]
        over_all.add_row(row.label, f"{row.value:.4g}", interval, *cells, str(row.n))
    kernels = [r for r in rows if r.class_name is not None and r.distance == "kd"]
    classes = list(dict.fromkeys(str(r.class_name) for r in kernels))
    by_class = Table(title="Kernel distance (KD) by class, normalised", caption="-: too few images on a side")
    by_class.add_column("extractor")
    for name in classes:
        by_class.add_column(name, justify="right")
    for extractor in dict.fromkeys(r.extractor for r in kernels):
        own = {r.class_name: r.normalised for r in kernels if r.extractor == extractor}
        by_class.add_row(extractor, *(_number(own[name]) or "-" for name in classes))
    missing = [f"Not computed: {listed(names)} ({reason})." for reason, names in absent.items()]
    latent = latent_geometry.table(result.geometry) if result.geometry else []
    return [over_all, *missing, by_class, *latent, *skin.sentences(result.skin)]


def check_table(checked: Checked) -> list[Any]:
    """A rich table of `check`: a row for each distance in each extractor, a column for each corruption, mild to full."""
    from rich.table import Table

    rows = checked.rows
    points = {name: found for row in reversed(rows) for name, found in row.corruptions.items()}
    names = list(dict.fromkeys(name for row in rows for name in row.corruptions))
    strengths = [f"{n} {'/'.join(format(p.strength, 'g') for p in points[n])}" for n in names]
    out = Table(
        title=f"Graded corruptions of {checked.data}'s test part",
        caption="distances, mild to full strength; strengths: " + "; ".join(strengths),
    )
    out.add_column("metric")
    out.add_column("real vs. real", justify="right")
    for name in names:
        out.add_column(name.replace("_", " "), justify="right")
    out.add_column("ranks them")
    labels = [MetricRow(row.distance, row.extractor).label for row in rows]
    for label, row in zip(labels, rows, strict=True):
        cells = ["\n".join(f"{p.value:.3g}" for p in row.corruptions.get(n, [])) for n in names]
        verdict = "right" if row.passed else "WRONG: " + "; ".join(row.reasons)
        out.add_row(label, _number(row.real_reference), *cells, verdict, end_section=True)
    right = listed([label for label, row in zip(labels, rows, strict=True) if row.passed])
    return [out, f"These rank all corruptions right: {right}."]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
