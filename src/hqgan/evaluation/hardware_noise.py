"""What finite shots and hardware noise change in a run: the readouts of its circuits, and the metrics of its images.

As in the paper's table of hardware. A setting is a noise (none, depolarising, a fake machine, with or without mitigation)
and a number of shots.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hqgan import wording
from hqgan.circuits.analysis.drawing import save
from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.registry import backend_of
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.layer import shot_variance
from hqgan.errors import UserError
from hqgan.evaluation.extractors import build_evaluator
from hqgan.evaluation.real_images import data_of
from hqgan.metrics.evaluator import Evaluator
from hqgan.metrics.record import rows_from_json
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.images import latent_seed, make_images, matched_images
from hqgan.sampling.load import Loaded, load, on_backend
from hqgan.types import UNCOVERED, Backend

CIRCUITS = 64
"""Circuits whose readouts are compared, or a few more, since whole images are generated."""
MOST_EXACT = 12
"""Qubits up to which depolarising noise has an exact limit: a density matrix of n qubits holds 4^n numbers."""


@dataclass(frozen=True)
class Setting:
    """A noise and a number of shots.

    Attributes:
        noise: in words.
        shots: of each circuit in each basis; None for the limit of infinitely many.
        backend: which has both.
    """

    noise: str
    shots: int | None
    backend: Backend

    def __str__(self) -> str:
        return f"{self.noise}, {_in_words(self.shots)}"


def noise(
    run: Path,
    shots: Sequence[int],
    errors: Sequence[float],
    machines: Sequence[str],
    mitigation: Sequence[int],
    images: int = 0,
    data_path: str | None = None,
    seed: int = 0,
    *,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Measure a run under every noise with every number of shots.

    Args:
        run: its folder, or a checkpoint.
        shots: of each circuit in each basis, at least one number. Without noise there is the exact limit too, and with
            depolarising errors up to `MOST_EXACT` qubits.
        errors: of Aer's depolarising noise, the probability after a two-qubit gate, a tenth of it after a rotation.
        machines: fake ones.
        mitigation: resilience levels, each on every machine; at many shots 1 takes ten times as long as 0 and more.
        images: how many to generate and compare with as many of the test part, without noise and with each noise at the
            most shots; 0 for none.
        data_path: the real data; None for the run's own.
        seed: of the latents, of shots and transpilation, and of the evaluator.
        reporter: receives messages and progress; task ``settings`` counts those of the table.

    Returns:
        What was measured, `readouts` with a row for each setting, and `images` with a row for each setting that generated some.

    Raises:
        UserError: no run there, one without circuits, or other data; Qiskit is missing, or there is no such machine or level; a
            circuit that does not fit a machine.
    """
    loaded = load(run)
    ansatz, angles, weights = circuits_of(loaded, seed)
    circuits = len(angles) * len(weights)
    settings = _settings(ansatz.qubits, shots, errors, machines, mitigation, seed)
    # What can be refused is refused before the work.
    evaluator = _evaluator(loaded, images, data_path, seed, reporter) if images else None
    with_images = [s for s in settings if s.shots == max(shots) or (s.shots is None and s.noise == "no noise")]
    total = len(settings) + (len(with_images) if evaluator else 0)
    exact = simulate(ansatz, angles, weights)
    readouts, rows = [], []
    reporter.progress("settings", 0, total, "settings")
    for setting in settings:
        reporter.message(f"readouts of {wording.plural(circuits, 'circuit')}: {setting}")
        readouts.append(_readouts(setting, ansatz, angles, weights, exact))
        reporter.progress("settings", len(readouts), total, "settings")
    if evaluator:
        plain = matched_images(loaded.generator, loaded.classes, evaluator.labels, seed, reporter)
        for setting in with_images:
            reporter.message(f"{wording.plural(images, 'image')}: {setting}")
            rows.append(_images(setting, loaded, evaluator, plain, seed, reporter))
            reporter.progress("settings", len(settings) + len(rows), total, "settings")
    return {
        "run": str(run),
        "checkpoint_sha256": loaded.checkpoint_hash,
        "seed": seed,
        "private": loaded.config.private,
        "qubits": ansatz.qubits,
        "layers": ansatz.layers,
        "circuits": circuits,
        "spread": exact.std().item(),
        "readouts": readouts,
        "images": rows,
    }


def _in_words(shots: int | None) -> str:
    return "exact" if shots is None else wording.plural(shots, "shot")


def _settings(
    qubits: int,
    shots: Sequence[int],
    errors: Sequence[float],
    machines: Sequence[str],
    mitigation: Sequence[int],
    seed: int,
) -> list[Setting]:
    if not all(level in (0, 1, 2) for level in mitigation):
        raise UserError(f"A level of mitigation is 0, 1 or 2, not {', '.join(map(str, mitigation))}.")

    def setting(title: str, count: int | None, backend: str = "aer", **options: Any) -> Setting:
        return Setting(title, count, backend_of(backend, shots=count, seed=seed, **options))

    found = []
    for count in [None, *sorted(shots)]:
        found.append(setting("no noise", count))
        if count or qubits <= MOST_EXACT:
            found += [setting(f"depolarising {error:g}", count, noise=error) for error in errors]
        for name in [f"fake:{machine}" for machine in machines] if count else ():
            found += [setting(f"{name}, mitigation {level}", count, name, mitigation=level) for level in mitigation]
    return found


@torch.no_grad()
def circuits_of(loaded: Loaded, seed: int) -> tuple[Ansatz, Tensor, Tensor]:
    """The ansatz, angles (B, k, n) and weights of the first images' circuits, class after class, `CIRCUITS` or a few more."""
    asked: list[tuple[Ansatz, Tensor, Tensor]] = []

    def recorder(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        asked.append((ansatz, angles, weights))
        return simulate(ansatz, angles, weights)

    other = on_backend(loaded, recorder, "statevector")
    count = -(-CIRCUITS // len(other.generator.circuits[0].weights))
    labels = [i % len(loaded.classes) for i in range(count)]
    seeds = [latent_seed(seed, loaded.classes[label], i // len(loaded.classes)) for i, label in enumerate(labels)]
    list(make_images(other.generator, labels, seeds))
    ansatz, angles, weights = asked[0]
    return ansatz, angles[:count], weights


def _readouts(setting: Setting, ansatz: Ansatz, angles: Tensor, weights: Tensor, exact: Tensor) -> dict[str, Any]:
    start = time.perf_counter()
    with torch.no_grad():
        apart = setting.backend(ansatz, angles, weights) - exact
    expected = shot_variance(exact, setting.shots, ansatz).mean().sqrt().item() if setting.shots else 0.0
    return {
        "noise": setting.noise,
        "shots": setting.shots,
        "mean": apart.abs().mean().item(),
        "root_mean_square": apart.square().mean().sqrt().item(),
        "largest": apart.abs().max().item(),
        "expected_of_shots": None if ansatz.ancillas else expected,
        "seconds": time.perf_counter() - start,
    }


def _evaluator(loaded: Loaded, count: int, data_path: str | None, seed: int, reporter: Reporter) -> Evaluator:
    """An evaluator on this many images of the test part."""
    data, split = data_of(loaded, data_path)
    if count > len(split.test):
        raise UserError(
            f"`images` takes at most the {wording.plural(len(split.test), 'image')} of the test part, not {count}."
        )
    chosen = np.sort(np.random.default_rng(seed).choice(split.test, count, replace=False))
    return build_evaluator(data, split, chosen, seed, reporter)


def _images(
    setting: Setting, loaded: Loaded, evaluator: Evaluator, plain: np.ndarray, seed: int, reporter: Reporter
) -> dict[str, Any]:
    start = time.perf_counter()
    noisy = on_backend(loaded, setting.backend, str(setting)).generator
    made = matched_images(noisy, loaded.classes, evaluator.labels, seed, reporter)
    seconds = time.perf_counter() - start
    apart = np.abs(made.astype(int) - plain)
    return {
        "noise": setting.noise,
        "shots": setting.shots,
        "n": len(made),
        "grey_levels": {"mean": float(apart.mean()), "largest": int(apart.max())},
        "seconds": seconds,
        "metrics": [row.as_json() for row in evaluator(made, evaluator.labels) if row.class_name is None],
    }


def table(result: dict[str, Any]) -> list[Any]:
    """Rich tables of `noise`: readouts, and images where some were made."""
    spread = f"over the circuits they vary by {result['spread']:.3f} (standard deviation)"
    readouts = wording.table(
        *("noise", "shots", "mean", "root mean square", "shots alone", "largest", "seconds"),
        title=f"Readouts of {result['circuits']} circuits of {wording.plural(result['qubits'], 'qubit')} against exact ones",
        caption=f"{spread}; shots alone: root mean square expected without noise",
    )
    order = list(dict.fromkeys(row["noise"] for row in result["readouts"]))
    for row in sorted(result["readouts"], key=lambda row: order.index(row["noise"])):
        alone = wording.cell("{:.4f}", row["expected_of_shots"])
        cells = [f"{row[name]:.4f}" for name in ("mean", "root_mean_square")]
        shots = "exact" if row["shots"] is None else f"{row['shots']:,}"
        readouts.add_row(row["noise"], shots, *cells, alone, f"{row['largest']:.4f}", f"{row['seconds']:.1f}")
    if not result["images"]:
        return [readouts]
    metrics = [{m.label: m.normalised for m in rows_from_json(row["metrics"])} for row in result["images"]]
    images = wording.table(
        *("metric", *(f"{row['noise']}\n{_in_words(row['shots'])}" for row in result["images"])),
        title=f"{wording.plural(result['images'][0]['n'], 'image')} against as many of the test part",
        caption="deviation: grey levels of 256, mean and largest; normalised: 0 is real against real, 1 the PCA-Gaussian",
    )
    levels = [row["grey_levels"] for row in result["images"]]
    images.add_row("deviation", *(f"{level['mean']:.2f}, {level['largest']}" for level in levels), end_section=True)
    for label in (label for label, value in metrics[0].items() if value is not None):
        values = [found[label] for found in metrics]
        images.add_row(label, *(wording.cell("{:.3f}", value) for value in values))
    return [readouts, images, *([UNCOVERED] if result["private"] else [])]


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw the readouts' deviation against shots, a line for each noise; dotted: its exact limit, and shots alone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    for number, name in enumerate(dict.fromkeys(row["noise"] for row in result["readouts"])):
        rows = [row for row in result["readouts"] if row["noise"] == name]
        points = sorted((row["shots"], row["root_mean_square"]) for row in rows if row["shots"])
        if points:
            axis.plot(*zip(*points, strict=True), marker="o", ms=4, color=f"C{number}", label=name)
        limit = next((row["root_mean_square"] for row in rows if row["shots"] is None), 0)
        if limit > 1e-6:
            axis.axhline(limit, ls=":", lw=1, color=f"C{number}", label=f"{name}, infinitely many shots")
    axis.axhline(result["spread"], color="grey", lw=1, label="standard deviation over circuits")
    shots = sorted({row["shots"] for row in result["readouts"] if row["shots"]})
    axis.set_xscale("log", base=2)
    ylabel = "deviation of readouts from exact ones\n(root mean square)"
    axis.set(yscale="log", xlabel="shots of a circuit in a basis", ylabel=ylabel)
    axis.set_xticks(shots, [f"{count:,}" for count in shots])
    for formatter in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else "")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    save(figure, path)
