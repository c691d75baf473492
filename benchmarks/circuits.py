"""Time circuits on the engines at hand: forward, and forward with gradient, in milliseconds per circuit.

Every engine runs the same angles and weights, turn by turn in one process, so that a busy machine slows all of them; a
figure is the median over the turns. `max_error` is against default.qubit's outputs in float64.

    python benchmarks/circuits.py --json circuits.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from hqgan.circuits.ansatz import paper_ansatz
from hqgan.circuits.pennylane_backend import pennylane_backend
from hqgan.circuits.statevector import simulate


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qubits", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--sub-generators", type=int, default=5)
    parser.add_argument("--batch", type=int, default=10, help="samples, of ours; peers run one circuit")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    ansatz = paper_ansatz(args.qubits, args.layers)
    random = torch.Generator().manual_seed(0)
    k, b = args.sub_generators, args.batch
    angles = torch.rand(b, k, ansatz.qubits, generator=random) * 2 * torch.pi
    weights = torch.rand(k, *ansatz.weight_shape, generator=random)

    # name: (backend, type, samples, sub-generators). The paper calls lightning's adjoint method, one circuit a call.
    engines = {
        "lightning_paper": (pennylane_backend("lightning.qubit", diff_method="adjoint"), torch.float64, 1, 1),
        "default_qubit": (pennylane_backend("default.qubit"), torch.float64, 1, 1),
        "statevector": (simulate, torch.float32, b, k),
        "statevector_float64": (simulate, torch.float64, b, k),
    }
    times: dict[str, dict[str, list[float]]] = {name: {"forward": [], "gradient": []} for name in engines}
    outputs = {}
    for turn in range(args.repeats + 1):
        for name, (engine, dtype, samples, rows) in engines.items():
            x = angles[:samples, :rows].to(dtype).requires_grad_()
            w = weights[:rows].to(dtype).requires_grad_()

            def forward(engine=engine, x=x, w=w) -> torch.Tensor:
                with torch.no_grad():
                    return engine(ansatz, x, w)

            def gradient(engine=engine, x=x, w=w) -> None:
                engine(ansatz, x, w).sum().backward()

            found = {"forward": seconds(forward), "gradient": seconds(gradient)}
            if turn == 0:  # warm-up
                outputs[name] = forward()[0, 0].double()
                continue
            for key, value in found.items():
                times[name][key].append(1e3 * value / (samples * rows))

    truth = outputs["default_qubit"]
    figures = {
        name: {
            "forward_ms": statistics.median(times[name]["forward"]),
            "gradient_ms": statistics.median(times[name]["gradient"]),
            "max_error": (outputs[name] - truth).abs().max().item(),
        }
        for name in engines
    }
    print(f"{ansatz.qubits} qubits, {ansatz.layers} layers, {ansatz.readouts} readouts; {args.threads} threads")
    print(f"{'engine':<22}{'forward ms':>12}{'+ gradient ms':>15}{'max error':>12}")
    for name, row in figures.items():
        print(f"{name:<22}{row['forward_ms']:>12.2f}{row['gradient_ms']:>15.2f}{row['max_error']:>12.1e}")
    if args.json:
        setting = {"qubits": ansatz.qubits, "layers": ansatz.layers, "sub_generators": k, "batch": b}
        setting |= {"threads": args.threads, "repeats": args.repeats}
        args.json.write_text(json.dumps({"setting": setting, "engines": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
