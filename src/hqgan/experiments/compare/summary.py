"""From what was measured of each run to a comparison's result: a leaderboard, paired tests, curves, and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hqgan.experiments.compare import paired
from hqgan.experiments.compare.contestants import Contestant, Result
from hqgan.experiments.compare.measure import VIEWS
from hqgan.experiments.study.bootstrap import holm
from hqgan.experiments.study.summary import LEVEL, VERDICT
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.types import UNCOVERED
from hqgan.wording import plural

TARGETS = (1.0, 0.5)
"""Distances on the validation part whose first reaching is timed: as far off as the PCA-Gaussian, and half as far."""


def of_data(results: Sequence[Result], contestants: Sequence[Contestant], about: Result) -> Result:
    """A comparison's result on one data set.

    Args:
        results: of every contestant and seed.
        contestants: in order; the first is the one that the others are held against.
        about: what is known of the data.

    Returns:
        `about`, ``leaderboard`` (nearest first), ``pairs``, ``curves`` (means over seeds by contestant) and ``sentences``.
    """
    by_name = {one.name: [r for r in results if r["name"] == one.name] for one in contestants}
    # One and the same mean for all seeds and contestants, and another for all points of their curves.
    views = _common([r["distances"] for r in results])
    on_validation = _common([p["distances"] for r in results for p in r["curve"]])
    board = [_row(own, views, on_validation) for own in by_name.values()]
    board.sort(key=lambda row: (row["distance"]["mean"] is None, row["distance"]["mean"]))
    first = contestants[0].name
    pairs = [{"name": first, "against": name, **found} for name, own in by_name.items() if name != first
             if (found := paired.difference(by_name[first], own, views)) is not None]  # fmt: skip
    for pair, p in zip(pairs, holm([pair["p_value"] for pair in pairs]), strict=True):
        pair["p_corrected"] = p
    return {
        **about,
        "n": results[0]["n"],
        "views": views,
        "curve_views": on_validation,
        "leaderboard": board,
        "pairs": pairs,
        "curves": {name: _mean_curve(own, on_validation) for name, own in by_name.items()},
        "sentences": _sentences(board, pairs),
    }


def _common(found: Sequence[dict[str, float]]) -> list[str]:
    """Views that all have, in order."""
    return [view for view in VIEWS if found and all(view in one for one in found)]


def _row(own: Sequence[Result], views: Sequence[str], on_validation: Sequence[str]) -> Result:
    """One contestant over its seeds."""
    first = own[0]
    by_seed = paired.arrays(own, views)[0].tolist() if views else [None] * len(own)
    same = ("name", "preset", "parameters", "quantum_parameters", "critic_parameters", "images")
    return {
        **{key: first[key] for key in same},
        "private": any(r.get("private") for r in own),
        "epochs": float(np.mean([r["epochs"] for r in own])),
        "seconds": float(np.median([r["seconds"] for r in own])),
        "images_per_second": float(np.median([r["images_per_second"] for r in own])),
        "threads": sorted({r["threads"] for r in own if r["threads"]}),
        "distance": paired.mean_of(own, views),
        "by_seed": {str(r["seed"]): d for r, d in zip(own, by_seed, strict=True)},
        "seconds_to": [{"distance": target, **_seconds_to(own, target, on_validation)} for target in TARGETS],
        "metrics": _metrics(own),
        "checkpoints": {str(r["seed"]): r["checkpoint_sha256"] for r in own},
    }


def _seconds_to(own: Sequence[Result], target: float, views: Sequence[str]) -> Result:
    """Median seconds, and images, until the validation distance is first at `target` or below, and how many runs came there."""
    points = [next((p for p in r["curve"] if views and _at(p, views) <= target), None) for r in own]
    there = [p for p in points if p is not None]
    reached = {"reached": len(there), "runs": len(own)}
    # The median of all runs is known only if more than half of them came there.
    if 2 * len(there) <= len(own):
        return {"seconds": None, "images": None, **reached}
    far = float("inf")
    return {key: float(np.median([p[key] if p else far for p in points])) for key in ("seconds", "images")} | reached


def _metrics(own: Sequence[Result]) -> list[Result]:
    """Every metric over all classes, averaged over the seeds that have it; ``n`` is the smallest."""
    by_seed = [[r for r in rows_from_json(one["rows"]) if r.class_name is None and r.value is not None] for one in own]
    out = []
    for key in dict.fromkeys(row.key for rows in by_seed for row in rows):
        alike = [row for rows in by_seed for row in rows if row.key == key]
        mean = MetricRow(
            alike[0].distance,
            alike[0].extractor,
            value=_mean([r.value for r in alike]),
            real_reference=_mean([r.real_reference for r in alike]),
            baseline=_mean([r.baseline for r in alike]),
            normalised=_mean([r.normalised for r in alike]),
            n=min(r.n for r in alike),
        )
        out.append({**mean.as_json(), "seeds": len(alike)})
    return out


def _mean_curve(own: Sequence[Result], views: Sequence[str]) -> list[Result]:
    """Means over seeds at each point."""
    found = zip(*(r["curve"] for r in own), strict=True) if views else []
    return [
        {
            **{key: float(np.mean([p[key] for p in points])) for key in ("images", "seconds")},
            "distance": float(np.mean([_at(p, views) for p in points])),
        }
        for points in found
    ]


def _at(point: Result, views: Sequence[str]) -> float:
    return float(np.mean([point["distances"][view] for view in views]))


def _sentences(board: Sequence[Result], pairs: Sequence[Result]) -> list[str]:
    """What a careful reader may take from the numbers."""
    seeds = len(board[0]["by_seed"])
    out, so_far = [], ""
    if seeds < VERDICT:
        so_far = "So far, "
        out.append(
            f"No verdict: that takes {VERDICT} seeds, and this is {seeds}. What follows says where to look, not what is so."
        )
    known = [row for row in board if row["distance"]["mean"] is not None]
    if known:
        top = known[0]
        d = top["distance"]
        out.append(
            f"{so_far}{top['name']} has the lowest mean distance to held-out real images of {plural(len(known), 'contestant')}: "
            f"{d['mean']:.2f} [{d['low']:.2f}, {d['high']:.2f}], where 0 is real against real and 1 the PCA-Gaussian."
        )
    for pair in pairs:
        apart = (
            f"{pair['mean']:+.3f} [{pair['low']:+.3f}, {pair['high']:+.3f}], nearer in {pair['nearer']} of "
            f"{plural(pair['seeds'], 'seed')}, p = {pair['p_corrected']:.2g} after correction"
        )
        side = "is nearer than" if pair["mean"] < 0 else "is farther than"
        verb = side if pair["p_corrected"] < LEVEL else "cannot be told from"
        out.append(f"{so_far}{pair['name']} {verb} {pair['against']}: {apart}.")
    if lost := [row["name"] for row in board if row["distance"]["mean"] is None]:
        out.append(
            f"No distance could be normalised for {', '.join(lost)}: too few real images, or no bar above the floor."
        )
    return out


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def table(result: Result) -> list[Any]:
    """Rich tables of a comparison, and its sentences."""
    from rich.table import Table

    out: list[Any] = []
    for one in result["data"]:
        board = Table(
            title=f"{one['name']}, {one['size']} pixels, {plural(one['seeds'], 'seed')}",
            caption="distance: 0 is real against real, 1 the PCA-Gaussian; brackets: 95 %; seconds of training",
        )
        board.add_column("contestant", no_wrap=True)
        names = ("distance", "interval", "parameters", "in circuits", "epochs", "images/s", "seconds")
        for name in (*names, *(f"s to {target:g}" for target in TARGETS)):
            board.add_column(name, justify="right")
        for row in one["leaderboard"]:
            d = row["distance"]
            mean = "-" if d["mean"] is None else f"{d['mean']:.3f}"
            span = "" if d["mean"] is None else rf"\[{d['low']:.3f}, {d['high']:.3f}]"
            to = ["-" if t["seconds"] is None else f"{t['seconds']:.0f}" for t in row["seconds_to"]]
            board.add_row(
                row["name"], mean, span, f"{row['parameters']:,}", f"{row['quantum_parameters']:,}", f"{row['epochs']:.1f}",
                f"{row['images_per_second']:.0f}", f"{row['seconds']:.0f}", *to,
            )  # fmt: skip
        out += [board, *one["sentences"], *([UNCOVERED] if any(row["private"] for row in one["leaderboard"]) else [])]
    return out
