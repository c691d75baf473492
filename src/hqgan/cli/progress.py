"""What the command line shows while it works: progress bars on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from functools import cached_property
from typing import Any

from hqgan.reporter import Reporter

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


class Terminal(Reporter):
    """Shows messages and progress on standard error; as a context manager it removes its bars when the work ends.

    A bar appears with the first progress of its task. Where standard error is no terminal, lines show rate and time left.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Any] = {}
        self._starts: dict[str, tuple[float, int]] = {}
        self._before: dict[str, int] = {}
        self._last = time.monotonic()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._tasks:
            self._bars.stop()
        self._tasks = {}

    def message(self, text: str) -> None:
        """Print one dim line, above the bars where there are any."""
        console = self._bars.console if self._tasks else _console()
        console.print(text, style="dim", highlight=False, markup=False)

    def progress(self, task: str, done: int, total: int, unit: str = "images") -> None:
        """Move the bar of a task, or print a line if the last one is `LINE_EVERY` seconds old or a training has ended."""
        if sys.stderr.isatty():
            if task not in self._tasks:
                self._bars.start()
                self._tasks[task] = self._bars.add_task(task, total=total, unit=unit)
            if done < self._before.get(task, done):
                self._bars.reset(self._tasks[task])
            self._bars.update(self._tasks[task], completed=done, total=total)
            self._before[task] = done
            return
        now = time.monotonic()
        if task not in self._starts or done < self._before[task]:
            self._starts[task] = (now, done)
        self._before[task] = done
        start, first = self._starts[task]
        if done > first and (now - self._last >= LINE_EVERY or (task == "training" and done == total)):
            self._last = now
            rate = (done - first) / max(now - start, 1e-9)
            left = f", {(total - done) / rate / 60:.1f} min left" if done < total else ""
            speed = f"{rate:.1f} {unit}/s" if rate >= 1 else f"{60 * rate:.1f} {unit}/min"
            self.message(f"{task}: {done:,} of {total:,} {unit}, {speed}{left}")

    @cached_property
    def _bars(self) -> Any:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Any) -> Text:
                return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "")

        return Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(),
            console=_console(),
        )  # fmt: skip


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
