"""Tables, curves and grids of finished runs on one data set, for docs/results/first-run.md.

    python benchmarks/first_run.py runs/hqgan runs/dcgan runs/paper --out docs/results

Prints Markdown: parameters, images, seconds, and the normalised distances on the test part by `hqgan evaluate`; writes
first-run-curves.svg (validation distances against images and against training time) and a grid for each run. Seconds are
images divided by a rate that is measured here, the presets turn by turn on random images, so that no run pays for another
job on the machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from hqgan.config import read
from hqgan.evaluation.evaluate import evaluate
from hqgan.metrics.record import rows_from_json
from hqgan.models.build import figures
from hqgan.run.log import read_lines
from hqgan.run.preset_table import seconds_per_step
from hqgan.training.length import images_per_step

VIEWS = ("derm", "early", "middle")
"""Those that rank planted degradations rightly (docs/results/extractors.md)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="where the data set lies, if not where the runs found it")
    options = parser.parse_args()
    speed = rates(options.runs)
    found = {run: describe(run, options.data) | {"rate": speed[run]} for run in options.runs}
    print(sizes(found), test_table(found), sep="\n\n")
    curves(found, options.out / "first-run-curves.svg")
    for run in options.runs:
        newest = sorted((run / "samples").glob("*.png"))[-1]
        shutil.copyfile(newest, options.out / f"first-run-{read(run / 'config.json').preset}.png")


def rates(runs: list[Path], turns: int = 5) -> dict[Path, float]:
    """Images a second of each run's preset: the median over turns, each the faster of two steps of every preset."""
    configs = {run: read(run / "config.json") for run in runs}
    classes = {run: len(json.loads((run / "run.json").read_text())["classes"]) for run in runs}
    seconds: dict[Path, list[float]] = {run: [] for run in runs}
    for _ in range(turns):
        for run in runs:
            seconds[run].append(seconds_per_step(configs[run], classes[run], steps=2))
    return {run: images_per_step(configs[run].training) / statistics.median(seconds[run]) for run in runs}


def describe(run: Path, data: str | None) -> dict[str, Any]:
    config, about = read(run / "config.json"), json.loads((run / "run.json").read_text())
    return {
        "preset": config.preset,
        "seed": config.training.seed,
        "figures": figures(config, len(about["classes"])),
        "images": about["images"],
        "steps": about["steps"],
        "epochs": about["images"] / config.training.critic_steps / sum(about["data"]["training_images"]),
        "curve": [
            (m["images"], rows_from_json(m["rows"]))
            for m in read_lines(run / "metrics.jsonl")
            if m["kind"] == "evaluate"
        ],
        "test": evaluate(run, data).metrics,
    }


def sizes(found: dict[Path, dict[str, Any]]) -> str:
    titles = (
        "generator",
        "of it quantum",
        "critic",
        "images shown",
        "steps",
        "epochs",
        "training seconds",
        "images/s",
    )
    lines = [f"| preset | {' | '.join(titles)} |", "| --- |" + " ---: |" * len(titles)]
    for row in found.values():
        f, seconds = row["figures"], row["images"] / row["rate"]
        lines.append(
            f"| `{row['preset']}` | {f['generator_parameters']:,} | {f['quantum_parameters']:,} | {f['critic_parameters']:,} "
            f"| {row['images']:,} | {row['steps']:,} | {row['epochs']:.1f} | {seconds:,.0f} | {row['rate']:.1f} |"
        )
    return "\n".join(lines)


def test_table(found: dict[Path, dict[str, Any]]) -> str:
    titles = [*(f"`{row['preset']}`" for row in found.values()), "real vs. real", "PCA-Gaussian"]
    lines = [f"| metric on the test part | {' | '.join(titles)} |", "| --- |" + " ---: |" * len(titles)]
    names = [r.key for r in next(iter(found.values()))["test"] if r.class_name is None and r.baseline is not None]
    for name in names:
        rows = [next(r for r in run["test"] if r.key == name and r.class_name is None) for run in found.values()]
        cells = [f"{r.value:.3g} ({r.normalised:.2f})" if r.normalised is not None else "-" for r in rows]
        lines.append(f"| {name} | {' | '.join(cells)} | {rows[0].real_reference:.3g} | {rows[0].baseline:.3g} |")
    return "\n".join(lines)


def curves(found: dict[Path, dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "hqgan"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(VIEWS), 2, figsize=(10, 8), sharex="col", sharey="row", layout="constrained")
    for view, (left, right) in zip(VIEWS, axes, strict=True):
        for row in found.values():
            images = [i for i, _ in row["curve"]]
            values = [
                next(r.normalised for r in rows if r.key == f"fd_{view}" and r.class_name is None)
                for _, rows in row["curve"]
            ]
            left.plot([i / 1000 for i in images], values, marker="o", ms=3, label=row["preset"])
            right.plot([i / row["rate"] / 60 for i in images], values, marker="o", ms=3)
        for axis in (left, right):
            axis.set_yscale("log")
            axis.axhline(1, color="grey", ls="--", lw=1)
            axis.grid(alpha=0.3)
        left.set_ylabel(f"Fréchet distance ({view})")
    axes[-1][0].set_xlabel("thousand real images shown")
    axes[-1][1].set_xlabel("training minutes")
    axes[0][0].legend()
    figure.suptitle("Validation part; normalised: 0 is real against real, 1 (dashed) the PCA-Gaussian")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
