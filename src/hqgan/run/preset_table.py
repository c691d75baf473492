"""What `hqgan presets` lists: sizes of the networks and circuits, and how fast a step is on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch

from hqgan.config import PRESETS, Config, preset
from hqgan.models.build import build_critic, build_generator, figures
from hqgan.training.accountant import Plan
from hqgan.training.dp_step import Private, PrivateStep
from hqgan.training.state import layout, new_state
from hqgan.training.step import step_of
from hqgan.types import Batch


def describe(classes: int = 8) -> dict[str, dict[str, Any]]:
    """Preset name to figures.

    Args:
        classes: number of classes, on which embeddings and prototypes depend.
    """
    return {name: figures(preset(name), classes) for name in PRESETS}


def timed(classes: int, epoch: int) -> Iterator[tuple[str, float]]:
    """Preset names and the seconds that an epoch takes here, each as soon as it is measured.

    Args:
        classes: number of classes.
        epoch: images of an epoch.
    """
    seconds_per_step(preset("demo"), classes)  # what runs first in a process is slower than the same later
    for name in PRESETS:
        config = preset(name)
        yield name, seconds_per_step(config, classes) * epoch / config.training.batch


CPU = torch.device("cpu")


def seconds_per_step(config: Config, classes: int, steps: int = 8, device: torch.device = CPU) -> float:
    """The mean of a few training steps on random images, after two to warm up; some steps have penalties."""
    torch.manual_seed(0)
    generator = build_generator(config, classes)
    critic = build_critic(config, classes, generator)
    state = new_state(generator, critic, config.training, device)
    size = config.data.size
    images = (
        torch.rand(config.training.batch, 3, size, size).mul(2).sub(1).contiguous(memory_format=layout(config.training))
    )
    batch = Batch(images.to(device), (torch.arange(config.training.batch) % classes).to(device))
    # What the noise is takes no part in how long it takes.
    plan = Plan(1.0, 1e-5, config.privacy.clip, 1.0, 0.1, 1, 10 * config.training.batch)
    private = Private(plan, classes, lambda index: batch, 0)
    training = config.training
    step = PrivateStep(training, private) if config.private else step_of(state, training, lambda index: batch)
    for _ in range(2):
        step(state)
    start = time.perf_counter()
    for _ in range(steps):
        step(state)
    return (time.perf_counter() - start) / steps


def table(rows: dict[str, dict[str, Any]]) -> Any:
    """A rich table of `describe`'s result."""
    from rich.table import Table

    columns = {
        "generator_parameters": "generator",
        "quantum_parameters": "of it quantum",
        "critic_parameters": "critic",
        "qubits": "qubits",
        "depth": "depth",
        "sub_generators": "sub-generators",
    }
    result = Table()
    result.add_column("preset")
    for title in columns.values():
        result.add_column(title, justify="right")
    for name, row in rows.items():
        result.add_row(name, *(f"{row[key]:,}" for key in columns))
    return result
