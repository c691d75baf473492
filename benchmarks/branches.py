"""How long the branch of preset hqgan takes with circuits, and with a network of so many hidden units in their place.

The hidden units at which both take the same time are those of preset ``hqgan-mlp-wide``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqgan.circuits.layer import QuantumLayer
from hqgan.config import HybridConfig, preset
from hqgan.models.ablations import SharedMlp
from hqgan.models.quantum_branch import ansatz_of

TURN = 40
"""Steps of a branch before the next one has its turn."""


def seconds(branch: nn.Module, angles: torch.Tensor, batch: int) -> float:
    """Median of one training step's share: a batch made for the critic, another with its gradient."""
    times = []
    for _ in range(TURN):
        start = time.perf_counter()
        with torch.no_grad():
            branch(angles[:batch])
        branch(angles[batch:]).square().sum().backward()
        times.append(time.perf_counter() - start)
    return float(np.median(times[5:]))


def main() -> None:
    """Print milliseconds a step for each branch, medians over turns side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, nargs="+", default=[20, 1024, 2048, 4096, 8192])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = preset("hqgan")
    assert isinstance(config.generator, HybridConfig)
    ansatz, k, batch = ansatz_of(config.generator.circuit), config.generator.sub_generators, config.training.batch
    branches: dict[str, nn.Module] = {"circuits": QuantumLayer(ansatz, k, start=config.generator.circuit.start)}
    branches |= {f"{hidden} hidden units": SharedMlp(ansatz, k, hidden) for hidden in arguments.hidden}
    angles = torch.randn(2 * batch, k, ansatz.qubits, requires_grad=True)
    taken: dict[str, list[float]] = {name: [] for name in branches}
    for _ in range(arguments.repeats):
        for name, branch in branches.items():
            taken[name].append(seconds(branch, angles, batch))
    medians = {name: 1000 * float(np.median(found)) for name, found in taken.items()}
    print(f"{k} sites, batches of {batch}, {arguments.threads} threads; milliseconds a step")
    for name, median in medians.items():
        print(f"{name:>20}: {median:6.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"threads": arguments.threads, "milliseconds": medians}, indent=1) + "\n")


if __name__ == "__main__":
    main()
