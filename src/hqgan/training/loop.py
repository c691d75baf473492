"""The training loop: it repeats a step, sums up its losses, and calls hooks for everything else."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from hqgan.config import TrainingConfig
from hqgan.errors import UserError
from hqgan.reporter import SILENT, Reporter
from hqgan.training.distributed import SINGLE, Processes
from hqgan.training.length import images_per_step, steps_of
from hqgan.training.state import State
from hqgan.training.step import TrainingStep

DIVERGED = 1e6
"""A loss beyond this is divergence: WGAN losses on 64x64 images stay in the hundreds."""

Record = Callable[[str, State, dict[str, Any]], None]
"""Takes the kind of a line of metrics, the state and the values to write."""


@dataclass(frozen=True)
class Hook:
    """Work done every `every` steps and after the last one: samples, evaluation, checkpoints.

    Attributes:
        name: the kind of the line of metrics that it writes.
        call: takes the state; the values that it returns, if any, are recorded.
    """

    name: str
    every: int
    call: Callable[[State], dict[str, Any] | None]


class Interrupted(Exception):
    """Ctrl-C or SIGTERM; the state is that of a finished step."""


class Diverged(UserError):
    """A loss or a weight is no longer a finite number."""


def train(
    state: State,
    step: TrainingStep,
    config: TrainingConfig,
    hooks: list[Hook],
    record: Record,
    reporter: Reporter = SILENT,
    processes: Processes = SINGLE,
) -> None:
    """Repeat `step` until `config.kimg` thousand images were shown.

    Args:
        state: changed in place.
        step: one training step.
        config: the length, and how often to log.
        hooks: run in order after the steps they name.
        record: writes a line of metrics.
        reporter: receives after each step how many images were shown, as task ``training``.
        processes: which processes train together; only the first runs hooks and records.

    Raises:
        Diverged: with the values that are not finite.
        Interrupted: after the step in which Ctrl-C or SIGTERM came; a second Ctrl-C stops at once.
    """
    each, log_every = images_per_step(config), steps_of(config.log_kimg, config)
    total = steps_of(config.kimg, config)
    if state.images != state.step * each:  # the batch was another before
        total = state.step + max(0, math.ceil((config.kimg * 1000 - state.images) / each))
    images = state.images + (total - state.step) * each
    with _stop_requests() as stop:
        while state.step < total:
            logged = (state.step + 1) % log_every == 0 or state.step + 1 == total
            values, norms = step(state, with_norms=logged)
            _check_finite(values, state)
            for name, value in values.items():
                state.sums[name] = state.sums.get(name, 0.0) + value
            state.count += 1
            if logged:
                means = {name: value / state.count for name, value in state.sums.items()}
                more = step.log_values(state)
                if processes.first:
                    record("train", state, means | more | norms)
                state.sums, state.count = {}, 0
            for hook in hooks if processes.first else ():
                if state.step % hook.every == 0 or state.step == total:
                    found = hook.call(state)
                    if found is not None:
                        record(hook.name, state, found)
            reporter.progress("training", state.images, images)
            if processes.any(bool(stop)):
                raise Interrupted


def _check_finite(values: dict[str, float], state: State) -> None:
    bad = [f"{name} is {value}" for name, value in values.items() if not abs(value) < DIVERGED]
    if bad:
        raise Diverged(f"Training diverged at step {state.step}: {', '.join(bad)}")


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that Ctrl-C or SIGTERM adds to; the second Ctrl-C acts as usual. Only the main thread may set handlers."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: a caller's own threads are the caller's to stop
        before = {}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
