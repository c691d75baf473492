"""Time circuits on every engine at hand: forward, and readouts with gradient, in milliseconds per circuit.

    python benchmarks/circuits.py --paper --json circuits.json     # the paper's batch: 5 sub-generators x 10 samples
    python benchmarks/circuits.py --sweep --json sweep.json        # over qubits, layers and batch

All engines run turn by turn in one process on the same angles and weights, so that a busy machine slows all of them; a
turn is a call to warm up and as many as half a second takes, and a figure is the median over the turns. Errors are the
largest differences of readouts, and of gradients of their sum, from PennyLane's default.qubit in complex128. Operations are
those of the plain method: a fused multiply-add a number and rotation forward, and four with gradient (state, its way back,
adjoint, slope), for the layers after the first; an engine that saves some of them may pass the machine's peak.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz, paper_ansatz
from hqgan.circuits.engines import dispatch as statevector
from hqgan.circuits.engines.dispatch import simulate
from peers import PEERS, Engine, of_backend

OURS = {"statevector": torch.float32, "statevector_float64": torch.float64}
SWEEP = [(n, 8, 10) for n in range(4, 21, 2)] + [(16, layers, 10) for layers in (2, 32)] + [(16, 8, b) for b in (1, 64)]
"""Qubits, layers, batch."""
PAUSE = 0.3
"""Seconds before each engine's turn, in which other libraries' threads stop spinning; a call to warm up follows."""
TURN = 0.5
"""Seconds that a turn takes at least: calls that are shorter are repeated."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--paper", action="store_true", help="the paper's batch (default)")
    what.add_argument("--sweep", action="store_true", help="over qubits, layers and batch")
    what.add_argument("--memory-of", help="only run this engine's gradient once and print this process's peak memory")
    parser.add_argument("--qubits", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--sub-generators", type=int, default=5)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--engines", nargs="+", help="only these")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="with --sweep: draw time against qubits here, .svg or .png")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    if args.memory_of:
        engines = makers([args.memory_of])
        engines[args.memory_of](*case(args.qubits, args.layers, args.sub_generators, args.batch)).gradient()
        # Not ru_maxrss, which starts at the parent's.
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        print(line.split()[1])
        return
    if args.sweep:
        found: Any = [setting(args, n, layers, b) for n, layers, b in SWEEP]
        if args.plot:
            plot([row for row in found if (row["setting"]["layers"], row["setting"]["batch"]) == (8, 10)], args.plot)
    else:
        found = setting(args, args.qubits, args.layers, args.batch)
        found |= memory(found["engines"]) | machine()
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")


def case(qubits: int, layers: int, k: int, b: int) -> tuple[Ansatz, Tensor, Tensor]:
    """The paper's ansatz, angles over a full turn and weights in [0, 1), as it starts them."""
    ansatz = paper_ansatz(qubits, layers)
    random = torch.Generator().manual_seed(0)
    angles = torch.rand(b, k, qubits, generator=random, dtype=torch.float64) * 2 * torch.pi
    return ansatz, angles, torch.rand(k, *ansatz.weight_shape, generator=random, dtype=torch.float64)


def makers(only: list[str] | None) -> dict[str, Callable[[Ansatz, Tensor, Tensor], Engine]]:
    def in_one_thread(engine: Engine) -> Engine:
        def alone(call: Callable[[], np.ndarray]) -> np.ndarray:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                return call()
            finally:
                torch.set_num_threads(threads)

        return Engine(engine.circuits, lambda: alone(engine.forward), lambda: alone(engine.gradient))

    def by_matrices(*arguments: Tensor) -> Tensor:
        before, statevector.engine_for = statevector.engine_for, lambda ansatz, device: "torch"
        try:
            return simulate(*arguments)
        finally:
            statevector.engine_for = before

    found = dict(PEERS)
    for name, dtype in OURS.items():
        found[name] = lambda *a, dtype=dtype: of_backend(simulate, *a, dtype)
    found["statevector_one_core"] = lambda *a: in_one_thread(of_backend(simulate, *a, torch.float32))
    found["matrices"] = lambda *a: of_backend(by_matrices, *a, torch.float32)
    return {name: make for name, make in found.items() if not only or name in only}


def setting(args: argparse.Namespace, qubits: int, layers: int, batch: int) -> dict[str, Any]:
    """All engines on one size of circuit; prints a table."""
    arguments = case(qubits, layers, args.sub_generators, batch)
    ansatz, angles, weights = arguments
    first = ansatz, angles[:1, :1], weights[:1]
    oracle = PEERS["default_qubit"](*first)
    readouts, slopes = oracle.forward()[0, 0], oracle.gradient()
    engines, figures = {}, {}
    for name, make in makers(args.engines).items():
        try:
            engine = make(*arguments)
        except ImportError as error:
            print(f"{name} is left out: {error}. `make bench` installs it.", file=sys.stderr)
            continue
        except MemoryError as error:
            print(f"{name} is left out at {qubits} qubits: {error}.", file=sys.stderr)
            continue
        first_call_s = timed(lambda engine=engine: (engine.forward(), engine.gradient()))
        values = engine.forward()[0, 0]
        figures[name] = {
            "max_error": float(np.abs(values - (readouts if len(values) > 1 else readouts.sum())).max()),
            "max_gradient_error": float(np.abs(make(*first).gradient() - slopes).max()),
            "first_call_s": first_call_s,
        }
        engines[name] = engine
    times: dict[str, dict[str, list[float]]] = {name: {"forward_ms": [], "gradient_ms": []} for name in engines}
    for _ in range(args.repeats):
        for name, engine in engines.items():
            time.sleep(PAUSE)
            for key, call in (("forward_ms", engine.forward), ("gradient_ms", engine.gradient)):
                calls = int(TURN / timed(call)) + 1
                seconds = timed(lambda call=call, calls=calls: [call() for _ in range(calls)])
                times[name][key].append(1e3 * seconds / calls / engine.circuits)
    for name, found in times.items():
        figures[name] |= {key: statistics.median(values) for key, values in found.items()}
        figures[name]["circuits_a_call"] = engines[name].circuits
    result: dict[str, Any] = {
        "setting": {"qubits": qubits, "layers": layers, "sub_generators": args.sub_generators, "batch": batch}
        | {"threads": args.threads, "repeats": args.repeats, "types": "ours float32, peers as their names say"},
        "engines": figures,
    }
    peers = {name: figures[name]["gradient_ms"] for name in PEERS if name in figures}
    if peers and "statevector" in figures:
        ours = figures["statevector"]["gradient_ms"]
        best = min(peers, key=lambda name: peers[name])
        # Ratios of each turn, then their median: a slow turn slows both sides.
        result |= {
            "best_peer": best,
            "ratio_best_peer": ratio(times, best),
            "ratio_paper": ratio(times, "lightning_paper"),
            "one_core": {
                "ratio_best_peer": ratio(times, best, "statevector_one_core"),
                "ratio_paper": ratio(times, "lightning_paper", "statevector_one_core"),
            },
        }
        result["gflops"] = {
            "forward": flops(ansatz, 1) / figures["statevector"]["forward_ms"] / 1e6,
            "gradient": flops(ansatz, 4) / ours / 1e6,
        }
    show(result)
    return result


def ratio(times: dict[str, dict[str, list[float]]], peer: str, ours: str = "statevector") -> float | None:
    """The median over the turns of how many times slower a peer is; None where either did not run."""
    if peer not in times or ours not in times:
        return None
    pairs = zip(times[peer]["gradient_ms"], times[ours]["gradient_ms"], strict=True)
    return statistics.median(theirs / mine for theirs, mine in pairs)


def flops(ansatz: Ansatz, passes: int) -> float:
    """Of one circuit: a multiply and an add for each real number, rotation and pass."""
    return 2.0 * passes * 2 * 2**ansatz.qubits * ansatz.qubits * max(ansatz.layers - 1, 0)


def memory(engines: dict[str, Any]) -> dict[str, Any]:
    """Peak memory in MiB of a fresh process that takes one gradient, by engine; `python` is one that only starts."""
    found = {}
    for name in engines:
        command = [sys.executable, __file__, "--memory-of", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found[name] = int(done.stdout.split()[-1]) / 1024 if done.returncode == 0 else None
    deep = [sys.executable, __file__, "--memory-of", "statevector", "--layers"]
    grown = [int(subprocess.run([*deep, n], capture_output=True, text=True, check=True).stdout) for n in ("8", "64")]
    print("\npeak memory of a process, MiB: " + ", ".join(f"{k} {v:.0f}" for k, v in found.items() if v))
    print(f"ours, 8 and 64 layers: {grown[0] / 1024:.0f} and {grown[1] / 1024:.0f} MiB")
    return {"memory_mib": found, "memory_mib_by_layers": {"8": grown[0] / 1024, "64": grown[1] / 1024}}


def machine() -> dict[str, Any]:
    """What this machine could do at most: sgemm on all threads, and copying memory."""
    a, b = torch.rand(2, 2048, 2048)
    gemm = min(timed(lambda: a @ b) for _ in range(5))
    big = torch.empty(1 << 28, dtype=torch.uint8)
    other = torch.empty_like(big)
    copy = min(timed(lambda: other.copy_(big)) for _ in range(5))
    found = {"sgemm_gflops": 2 * 2048**3 / gemm / 1e9, "copy_gbytes": 2 * len(big) / copy / 1e9}
    print(f"this machine: sgemm {found['sgemm_gflops']:.0f} GFLOP/s, copy {found['copy_gbytes']:.1f} GB/s")
    return {"machine": found}


def plot(found: list[dict[str, Any]], path: Path) -> None:
    """Draw milliseconds with gradient against qubits, a line for each engine."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for name in dict.fromkeys(name for row in found for name in row["engines"]):
        points = [(r["setting"]["qubits"], r["engines"][name]["gradient_ms"]) for r in found if name in r["engines"]]
        ours = name not in PEERS
        axis.plot(
            *zip(*points, strict=True), marker="o", ms=4, lw=2 if ours else 1, ls="-" if ours else "--", label=name
        )
    axis.set_yscale("log")
    axis.set_xlabel("qubits (8 layers, 5 sub-generators x 10 samples)")
    axis.set_ylabel("milliseconds a circuit, readouts and gradient")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path)


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def show(found: dict[str, Any]) -> None:
    s = found["setting"]
    print(
        f"\n{s['qubits']} qubits, {s['layers']} layers, {s['sub_generators']} x {s['batch']} circuits, {s['threads']} threads"
    )
    print(
        f"{'engine':<30}{'forward ms':>12}{'+ gradient ms':>15}{'max error':>12}{'of gradient':>13}{'first call s':>14}"
    )
    for name, row in found["engines"].items():
        print(
            f"{name:<30}{row['forward_ms']:>12.3f}{row['gradient_ms']:>15.3f}{row['max_error']:>12.1e}"
            f"{row['max_gradient_error']:>13.1e}{row['first_call_s']:>14.1f}"
        )
    if found.get("ratio_best_peer"):
        paper = f", {found['ratio_paper']:.0f} times the paper's call" if found["ratio_paper"] else ""
        if found["one_core"]["ratio_paper"]:
            paper += f" ({found['one_core']['ratio_paper']:.0f} on one core)"
        print(f"ours with gradient: {found['ratio_best_peer']:.1f} times {found['best_peer']}{paper}; ", end="")
        print(f"{found['gflops']['forward']:.0f} GFLOP/s forward, {found['gflops']['gradient']:.0f} with gradient")


if __name__ == "__main__":
    main()
