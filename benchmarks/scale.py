"""What training costs: measured points, a model fitted to them, and what it says of machines that were not measured.

    python benchmarks/scale.py --json scale.json

Times steps of preset `hqgan` (batch 16, sixteen circuits of eight layers) at 32 and 64 pixels with 0 to 14 qubits, in turns, on
this machine; the same steps by two processes under torchrun; and counts what a step does: operations, arithmetic of the networks,
bytes that circuits move. Seconds per kimg are fitted as

    networks(size) + a n + b n 2^n          n qubits

The last table is arithmetic on the counts with an accelerator's data sheet (`H100` below), not a measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from hqgan.config import Config, preset
from hqgan.models.build import build_critic, build_generator
from hqgan.run.setup import tf32_for_convolutions
from hqgan.runtime.devices import resolve_device
from hqgan.runtime.processes import current_shard
from hqgan.training.distributed import SINGLE, Processes, share_batch_norms, together
from hqgan.training.length import images_per_step
from hqgan.training.state import layout, new_state
from hqgan.training.step import step_of
from hqgan.types import Batch

SIZES = (32, 64)
QUBITS = (0, 4, 6, 8, 10, 12, 14)
LAYERS = 8
"""At the preset's own four, light cones cut wide circuits down to nine qubits, and the width costs little more."""
CLASSES = 7
H100 = {"flops": 494e12, "bytes": 3.35e12, "launch": 8e-6, "link": 300e9}
"""TF32 without sparsity and memory of an H100 SXM by its data sheet; seconds to launch an operation and bytes a second between
neighbours, as assumed."""
SHARE_OF_PEAK = 0.3
PRICES = {"cpu": 0.05, "gpu": 3.0}
"""Dollars an hour of a core and of an accelerator, as assumed; --price-cpu and --price-gpu."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="timed steps a turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--price-cpu", type=float, default=PRICES["cpu"], help="dollars a core and hour")
    parser.add_argument("--price-gpu", type=float, default=PRICES["gpu"], help="dollars an accelerator and hour")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--point", nargs=2, type=int, metavar=("SIZE", "QUBITS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tf32_for_convolutions()
    if options.point:
        one_of_several(*options.point, options.steps, options.device)
        return
    device = resolve_device(options.device)
    points = measured(options.turns, options.steps, device)
    several = by_processes(options.turns, options.steps, options.device, options.threads)
    found: dict[str, Any] = {
        "device": str(device),
        "threads": options.threads,
        "points": points,
        "processes": several,
        "fit": fitted(points),
        "counts": [counted(size, qubits) for size in SIZES for qubits in QUBITS],
    }
    found["extrapolated"] = extrapolated(found["counts"])
    show(found, options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def config_of(size: int, qubits: int) -> Config:
    changes: dict[str, Any] = {"data.size": size, "generator.circuit.layers": LAYERS}
    return preset(
        "hqgan", {**changes, "generator.circuit.qubits": qubits} if qubits else {**changes, "generator.branch": "none"}
    )


def stepper(config: Config, device: torch.device, processes: Processes) -> Any:
    """A function that takes a step on random images, as `hqgan presets` does."""
    torch.manual_seed(0)
    generator = build_generator(config, CLASSES)
    critic = build_critic(config, CLASSES, generator)
    state = new_state(generator, critic, config.training, device)
    for network in (generator, critic):
        share_batch_norms(network, processes)
    for circuit in generator.circuits:
        circuit.shard = processes.shard
    n, size = config.training.batch, config.data.size
    images = torch.rand(n, 3, size, size).mul(2).sub(1)[processes.shard.rank :: processes.shard.world]
    labels = (torch.arange(n) % CLASSES)[processes.shard.rank :: processes.shard.world]
    batch = Batch(images.to(device, memory_format=layout(config.training)), labels.to(device))

    def take() -> None:
        step_of(state, config.training, lambda index: batch, processes)(state)
        if device.type == "cuda":
            torch.cuda.synchronize()

    take()
    return take


def timed(take: Any, steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        take()
    return (time.perf_counter() - start) / steps


def measured(turns: int, steps: int, device: torch.device) -> list[dict[str, Any]]:
    """Median seconds per kimg of each point, all points in every turn."""
    takes = {(s, q): stepper(config_of(s, q), device, SINGLE) for s in SIZES for q in QUBITS}
    seen: dict[tuple[int, int], list[float]] = {key: [] for key in takes}
    for _ in range(turns):
        for (size, qubits), take in takes.items():
            images = images_per_step(config_of(size, qubits).training)
            seen[size, qubits].append(1000 * timed(take, steps) / images)
    return [{"size": s, "qubits": q, "seconds_per_kimg": statistics.median(v)} for (s, q), v in seen.items()]


def by_processes(turns: int, steps: int, device: str, threads: int) -> list[dict[str, Any]]:
    """Median seconds per kimg of the same batch by one and by two processes in turns, each with `threads` threads."""
    found = []
    for size, qubits in ((32, 8), (64, 8), (64, 12)):
        seen: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(turns):
            for world, seconds in seen.items():
                with tempfile.TemporaryFile("w+") as out:
                    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
                    command += ["--nproc-per-node", str(world), __file__, "--point", str(size), str(qubits)]
                    command += ["--steps", str(steps), "--device", device, "--threads", str(threads)]
                    subprocess.run(command, check=True, stdout=out, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
                    out.seek(0)
                    seconds.append(float(out.read()))
        row: dict[str, Any] = {"size": size, "qubits": qubits}
        row |= {f"by_{world}": statistics.median(seconds) for world, seconds in seen.items()}
        found.append({**row, "speedup": row["by_1"] / row["by_2"]})
    return found


def one_of_several(size: int, qubits: int, steps: int, device: str) -> None:
    """What torchrun starts: prints the median seconds per kimg of three turns."""
    config = config_of(size, qubits)
    with together(device, current_shard()) as processes:
        take = stepper(config, processes.device or resolve_device(device), processes)
        seconds = statistics.median(timed(take, steps) for _ in range(3))
        if processes.first:
            print(1000 * seconds / images_per_step(config.training))


def terms(size: int, qubits: int) -> list[float]:
    return [*(float(size == s) for s in SIZES), float(qubits), qubits * 2.0**qubits if qubits else 0.0]


def fitted(points: list[dict[str, Any]]) -> dict[str, Any]:
    """Coefficients that are not negative, by least squares of relative errors."""
    y = np.array([p["seconds_per_kimg"] for p in points])
    x = np.array([terms(p["size"], p["qubits"]) for p in points])
    coefficients, _ = nnls(x / y[:, None], np.ones(len(y)))
    apart = x @ coefficients / y - 1
    names = [*(f"networks_{s}" for s in SIZES), "a", "b"]
    return {
        **dict(zip(names, coefficients.tolist(), strict=True)),
        "relative_errors": apart.tolist(),
        "largest_error": float(np.abs(apart).max()),
    }


class Operations(TorchDispatchMode):
    """Counts calls of operations that do something."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):  # type: ignore[no-untyped-def]
        self.count += not getattr(function, "is_view", False)
        return function(*arguments, **(options or {}))


def counted(size: int, qubits: int) -> dict[str, Any]:
    """What one step does: operations, arithmetic of the networks, bytes of the circuits, bytes of gradients."""
    config = config_of(size, qubits)
    take = stepper(config, torch.device("cpu"), SINGLE)
    with Operations() as operations:
        take()
    with FlopCounterMode(display=False) as flops:
        take()
    generator = build_generator(config, CLASSES)
    critic = build_critic(config, CLASSES, generator)
    weights = sum(p.numel() for network in (generator, critic) for p in network.parameters())
    # Generator step with gradients (there, and back with two states) and images for the critic's steps (there).
    passes = 3 + config.training.critic_steps
    gates = sum(c.ansatz.layers * (c.ansatz.qubits + len(c.ansatz.pairs)) for c in generator.circuits)
    circuits = sum(c.weights.shape[0] for c in generator.circuits) / max(len(generator.circuits), 1)
    moved = 2 * 8 * config.training.batch * circuits * gates * 2**qubits * passes if qubits else 0
    return {
        "size": size,
        "qubits": qubits,
        "operations": operations.count,
        "flops": flops.get_total_flops(),
        "circuit_bytes": moved,
        "gradient_bytes": 4 * weights,
        "images": images_per_step(config.training),
    }


def extrapolated(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Seconds per kimg on 1, 8 and 64 accelerators with 64 images of the batch on each, by the data sheet."""
    rows = []
    for one in counts:
        row = {"size": one["size"], "qubits": one["qubits"]}
        larger = 64 / one["images"]  # images on each accelerator, in place of the measured batch
        work = larger * (one["flops"] / H100["flops"] + one["circuit_bytes"] / H100["bytes"]) / SHARE_OF_PEAK
        for world in (1, 8, 64):
            talk = 2 * (world - 1) / world * one["gradient_bytes"] / H100["link"]
            row[f"on_{world}"] = 1000 * (max(work, one["operations"] * H100["launch"]) + talk) / (64 * world)
        rows.append(row)
    return rows


def show(found: dict[str, Any], options: argparse.Namespace) -> None:
    fit, hour = found["fit"], 3600
    dear = options.price_cpu * options.threads if found["device"] == "cpu" else options.price_gpu
    print(f"Measured: {found['device']}, {plain(options.threads)}, batch 16, median of {options.turns} turns\n")
    print("| pixels | qubits | s per kimg | fitted | $ per 100 kimg |\n| ---: | ---: | ---: | ---: | ---: |")
    for point, error in zip(found["points"], fit["relative_errors"], strict=True):
        seconds = point["seconds_per_kimg"]
        model = seconds * (1 + error)
        print(
            f"| {point['size']} | {point['qubits']} | {seconds:.2f} | {model:.2f} | {100 * seconds / hour * dear:.3f} |"
        )
    networks = ", ".join(f"{fit[f'networks_{s}']:.2f} s at {s} pixels" for s in SIZES)
    print(
        f"\nFit: {networks}, a = {fit['a']:.4f} s, b = {fit['b']:.3g} s; at most {fit['largest_error']:.0%} off a point.\n"
    )
    print("| pixels | qubits | by 1 process | by 2 processes | speed-up |\n| ---: | ---: | ---: | ---: | ---: |")
    for row in found["processes"]:
        print(f"| {row['size']} | {row['qubits']} | {row['by_1']:.2f} | {row['by_2']:.2f} | {row['speedup']:.2f} |")
    print("\nNot measured: arithmetic on the counts, 64 images on each accelerator, dollars per 1,000 kimg\n")
    print("| pixels | qubits | operations a step | GFLOP a step | s per kimg on 1 | on 8 | on 64 | $ on 1 | $ on 64 |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for one, row in zip(found["counts"], found["extrapolated"], strict=True):
        money = [1000 * row[f"on_{w}"] * w / hour * options.price_gpu for w in (1, 64)]
        figures = " | ".join(f"{row[f'on_{w}']:.3g}" for w in (1, 8, 64))
        print(
            f"| {one['size']} | {one['qubits']} | {one['operations']:,} | {one['flops'] / 1e9:.1f} | {figures} | "
            f"{money[0]:.2f} | {money[1]:.2f} |"
        )


def plain(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


if __name__ == "__main__":
    main()
