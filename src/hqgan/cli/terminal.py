"""What commands show: progress on standard error, results on standard output and in JSON files."""

from __future__ import annotations

import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from hqgan.errors import UserError
from hqgan.io.files import write_atomically
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


def show(*things: Any) -> None:
    """Print rich tables and lines on standard output; wide enough for a file when there is no terminal."""
    from rich.console import Console

    # Names come from strangers' tables: what looks like markup in them is text.
    console = Console(markup=False)
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), markup=False)
    for thing in things:
        console.print(thing, highlight=False)


def write_json(path: Path, values: Any) -> None:
    """Write the result of a command."""
    try:
        write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another place for --json.") from error


def show_result(json_file: Path | None, values: Any, *things: Any) -> None:
    """Write the result of a command where --json asks for it, and print its tables and lines."""
    if json_file is not None:
        write_json(json_file, values)
    show(*things)
