"""Time whole training iterations of preset `paper`: the paper's procedure on PennyLane against ours, turn by turn.

    python benchmarks/iteration.py --json iteration.json

Both sides have the same networks, batch (10) and losses, and run 200 circuits an iteration: three critic steps and a generator
step, each on ten images of five sub-generators. The paper's code asks lightning.qubit (complex128, adjoint) for one circuit at
a time, and records gradients in the critic's steps too, where they are thrown away. `no_circuits` is our iteration with a cosine
in place of the circuits: what the convolutions take. --presets times an iteration of every preset instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.pennylane import pennylane_backend
from hqgan.circuits.engines.dispatch import simulate
from hqgan.config import PRESETS, Config, preset
from hqgan.models.build import build_critic, build_generator
from hqgan.run.preset_table import seconds_per_step
from hqgan.runtime.random_streams import stream
from hqgan.training import losses
from hqgan.training.length import images_per_step
from hqgan.training.state import State, layout, new_state
from hqgan.training.step import step_of
from hqgan.types import Backend, Batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=5, help="turns; each has one iteration of theirs and five of ours"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--presets", action="store_true", help="time every preset's iteration instead")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = presets() if options.presets else against_the_paper(options.repeats)
    found["threads"] = options.threads
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def presets() -> dict[str, Any]:
    found = {}
    for name in PRESETS:
        config = preset(name)
        seconds = seconds_per_step(config, 8, 10)
        found[name] = {"seconds": seconds, "images_per_second": images_per_step(config.training) / seconds}
        print(f"{name:8} {1000 * seconds:8.1f} ms an iteration, {found[name]['images_per_second']:7.1f} images/s")
    return found


class Clock:
    """A backend and the seconds that it took, forward; lightning's adjoint method finds its gradient there too."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.seconds = backend, 0.0

    def __call__(self, ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        """The backend's readouts."""
        start = time.perf_counter()
        readout = self.backend(ansatz, angles, weights)
        self.seconds += time.perf_counter() - start
        return readout


def one_at_a_time() -> Backend:
    lightning = pennylane_backend("lightning.qubit", diff_method="adjoint")

    def run(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        rows = [
            [lightning(ansatz, angles[b : b + 1, i : i + 1], weights[i : i + 1])[0, 0] for i in range(len(weights))]
            for b in range(len(angles))
        ]
        return torch.stack([torch.stack(row) for row in rows])

    return run


def against_the_paper(repeats: int) -> dict[str, Any]:
    config = preset("paper")
    theirs, clock = made(config), Clock(one_at_a_time())
    ours, no_circuits = made(config), made(config)
    theirs.generator.circuits[0].backend = clock
    no_circuits.generator.circuits[0].backend = lambda ansatz, x, w: torch.cos(x + w.sum((1, 3)))
    batch = random_batch(config)
    times: dict[str, list[float]] = {
        "theirs": [],
        "theirs_circuits": [],
        "ours": [],
        "ours_circuits": [],
        "no_circuits": [],
    }
    for turn in range(repeats + 1):
        clock.seconds = 0.0
        found = {
            "theirs": seconds(lambda: papers_step(theirs, batch, config), 1 if turn else 0),
            "theirs_circuits": clock.seconds,
            "ours": seconds(lambda: step_of(ours, config.training, lambda index: batch)(ours), 5),
            "ours_circuits": seconds(lambda: circuits_of_an_iteration(ours), 5),
            "no_circuits": seconds(lambda: step_of(no_circuits, config.training, lambda index: batch)(no_circuits), 5),
        }
        if turn:  # the first warms up
            for name, value in found.items():
                times[name].append(value)
            print(f"turn {turn}: " + ", ".join(f"{name} {value:.3f} s" for name, value in found.items()), flush=True)
    result: dict[str, Any] = {name: statistics.median(values) for name, values in times.items()}
    result |= {
        "ratio": median_ratio(times["theirs"], times["ours"]),
        "ratio_circuits": median_ratio(times["theirs_circuits"], times["ours_circuits"]),
        "ratio_no_circuits": median_ratio(times["ours"], times["no_circuits"]),
        "repeats": repeats,
    }
    print(
        f"\nan iteration by the paper's procedure: {result['theirs']:.1f} s, circuits {result['theirs_circuits']:.1f} s"
    )
    print(
        f"ours: {result['ours']:.3f} s, circuits {result['ours_circuits']:.3f} s, without circuits {result['no_circuits']:.3f} s"
    )
    print(f"ours is {result['ratio']:.0f} times faster, its circuits {result['ratio_circuits']:.0f} times;", end=" ")
    print(f"it takes {result['ratio_no_circuits']:.2f} times what its convolutions take")
    return result


def made(config: Config) -> State:
    torch.manual_seed(0)
    generator = build_generator(config, 8)
    return new_state(generator, build_critic(config, 8, generator), config.training, torch.device("cpu"))


def random_batch(config: Config) -> Batch:
    size, random = config.data.size, torch.Generator().manual_seed(0)
    images = torch.rand(config.training.batch, 3, size, size, generator=random) * 2 - 1
    return Batch(images.contiguous(memory_format=layout(config.training)), torch.arange(config.training.batch) % 8)


def papers_step(state: State, real: Batch, config: Config) -> None:
    """HybridQ's iteration: each critic step makes its own images, with gradients, then detaches them."""
    training, now = config.training, state.step
    generator, critic = state.generator, state.critic

    def images(name: str) -> Tensor:
        return generator(stream(training.seed, name, now).normal(len(real), generator.noise_size), real.labels)

    for i in range(training.critic_steps):
        fake = images(f"critic {i}").detach()
        loss = losses.critic_loss(training.loss, critic(real.images, real.labels), critic(fake, real.labels))
        rng = stream(training.seed, f"penalty {i}", now)
        gradient = losses.gradient_of(lambda x: critic(x, real.labels))
        penalty = losses.gradient_penalty(gradient, real.images, fake, rng)
        state.critic_optimiser.zero_grad(set_to_none=True)
        (loss + training.gp_weight * penalty).backward()
        state.critic_optimiser.step()
    loss = losses.generator_loss(training.loss, critic(images("generator"), real.labels), None)
    regulariser = generator.penalty()
    state.generator_optimiser.zero_grad(set_to_none=True)
    (loss if regulariser is None else loss + training.prototype_weight * regulariser).backward()
    state.generator_optimiser.step()
    state.step += 1


def circuits_of_an_iteration(state: State) -> None:
    """The 200 circuits as our loop runs them: 150 without gradient in one call, 50 with."""
    layer = state.generator.circuits[0]
    angles = torch.rand(30, len(layer.weights), layer.ansatz.qubits) * 6
    with torch.no_grad():
        simulate(layer.ansatz, angles, layer.weights)
    few = angles[:10].clone().requires_grad_()
    simulate(layer.ansatz, few, layer.weights).sum().backward()


def seconds(call: Callable[[], object], times: int) -> float:
    """The median of so many calls; 0 for none."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return statistics.median(found) if found else 0.0


def median_ratio(theirs: list[float], ours: list[float]) -> float:
    """Of the turns' ratios: a slow turn slows both sides."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


if __name__ == "__main__":
    main()
