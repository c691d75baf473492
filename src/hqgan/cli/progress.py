"""Progress: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hqgan.training.state import State

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


def say(text: str) -> None:
    """A line of news, on standard error."""
    _console().print(text, style="dim", highlight=False, markup=False)


@contextmanager
def bar(noun: str, unit: str = "images") -> Iterator[Callable[[int, int], None]]:
    """A progress bar that appears with the first call of what it yields: (done, total); in a log, a line now and then."""
    progress = _progress(unit)
    task: Any = None
    last = time.monotonic()
    start: tuple[float, int] | None = None

    def update(done: int, total: int) -> None:
        nonlocal task, last, start
        if not sys.stderr.isatty():
            now = time.monotonic()
            start = start or (now, done)
            if done > start[1] and now - last >= LINE_EVERY:
                last = now
                rate = (done - start[1]) / (now - start[0])
                left = f", {(total - done) / rate / 60:.1f} min left" if done < total else ""
                say(f"{noun}: {done:,} of {total:,}, {60 * rate:.1f} {unit}/min{left}")
            return
        if task is None:
            progress.start()
            task = progress.add_task(noun, total=total)
        progress.update(task, completed=done)

    try:
        yield update
    finally:
        if task is not None:
            progress.stop()


@contextmanager
def training_progress() -> Iterator[tuple[Callable[[int, int], None], Callable[[State, int], None]]]:
    """Two callbacks: images decoded so far, and training's state after a step, with images/s and time left."""
    with bar("decoding") as on_data, bar("training") as draw:
        last = time.monotonic()
        start: tuple[float, int] | None = None
        before = 0

        def on_step(state: State, total: int) -> None:
            nonlocal last, start, before
            now = time.monotonic()
            if start is None or state.images < before:  # a study trains one generator after the other
                start = (now, state.images)
            before = state.images
            if sys.stderr.isatty():
                draw(state.images, total)
            elif now - last >= LINE_EVERY or state.images == total:
                last = now
                rate = (state.images - start[1]) / max(now - start[0], 1e-9)
                left = f", {(total - state.images) / rate / 60:.1f} min left" if rate else ""
                say(f"{state.images:,} of {total:,} images, {rate:.1f} images/s{left}")

        yield on_data, on_step


def _progress(unit: str) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f} {unit}/s" if task.speed else "")

    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(),
        console=_console(),
    )  # fmt: skip


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
