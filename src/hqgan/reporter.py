"""Messages and progress of long work. Imports nothing of the package."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hqgan.wording import printable

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal to draw a progress bar on."""
NOTEBOOK_EVERY = 1.0
"""Seconds from one picture of a progress bar to the next in a notebook."""
SETTLED, UPDATES = 2.0, 3
"""Seconds and updates of a task before its rate is shown: its first batches say little about the others."""


class Reporter:
    """Receives messages and progress of long work, and ignores them.

    Every function that may take long has a parameter ``reporter``. Subclasses show what they receive
    (`Terminal`) or act on it: an exception that they raise stops the work.
    """

    def message(self, text: str) -> None:
        """Receive one line of text."""

    def progress(self, task: str, done: int, total: int, unit: str = "images") -> None:
        """Receive the progress of a task.

        Args:
            task: its name, as shown beside a bar: ``training``, ``decoding``.
            done: finished units; a smaller number than before means that a new task of the same name has started.
            total: number of units in the whole task.
            unit: what is counted, in the plural.
        """


SILENT = Reporter()


class PrintReporter(Reporter):
    """Prints messages on standard output."""

    def message(self, text: str) -> None:
        """Print one line."""
        print(text)


@dataclass
class _Task:
    """How far a task is, and how fast it goes."""

    first: int
    start: float
    done: int = 0
    updates: int = 0

    def update(self, done: int) -> None:
        self.done = done
        self.updates += 1

    def pace(self, total: int, unit: str) -> str:
        """Rate and time left; nothing before they mean something."""
        seconds, done = time.monotonic() - self.start, self.done - self.first
        if seconds < SETTLED or self.updates < UPDATES or done <= 0:
            return ""
        length, name = (1, "s") if done >= seconds else (60, "min") if 60 * done >= seconds else (3600, "h")
        left = f", {seconds * (total - self.done) / done / 60:.1f} min left" if self.done < total else ""
        return f"{length * done / seconds:,.1f} {unit}/{name}{left}"


class Terminal(Reporter):
    """Shows messages and progress on standard error; as a context manager it removes its progress bars when the work
    ends.

    A progress bar appears with the first progress of its task, in a notebook too. Where there is neither terminal nor
    notebook, a line now and then shows rate and time left.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._shown: dict[str, Any] = {}
        self._last = time.monotonic()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        if "_bars" in vars(self):
            self._bars.stop()
        self._tasks, self._shown = {}, {}

    def message(self, text: str) -> None:
        """Print one dim line, above the progress bars where there are any."""
        console = self._bars.console if "_bars" in vars(self) else _console()
        console.print(printable(text), style="dim", highlight=False, markup=False, soft_wrap=True)

    def progress(self, task: str, done: int, total: int, unit: str = "images") -> None:
        """Move a task's progress bar, or print a line every `LINE_EVERY` seconds and when a training has ended."""
        if task not in self._tasks or done < self._tasks[task].done:
            self._tasks[task] = _Task(done, time.monotonic())
        now = self._tasks[task]
        now.update(done)
        line = f"{task}: {done:,} of {total:,} {unit}, {now.pace(total, unit)}".removesuffix(", ")
        if sys.stderr.isatty():
            if task not in self._shown:
                self._bars.start()
                self._shown[task] = self._bars.add_task(task, total=total, pace="")
            self._bars.update(self._shown[task], completed=done, total=total, pace=now.pace(total, unit))
        elif self._in_notebook:
            if done in (now.first, total) or time.monotonic() - self._last >= NOTEBOOK_EVERY:
                self._last = time.monotonic()
                bar = "━" * round(30 * done / max(total, 1))
                self._show_in_notebook(task, f"{bar:─<30} {line}")
        elif done > now.first and (
            time.monotonic() - self._last >= LINE_EVERY or (task == "training" and done == total)
        ):
            self._last = time.monotonic()
            self.message(line)

    def _show_in_notebook(self, task: str, line: str) -> None:
        """Show a line in the place of the task's line before; rich's own progress bars need ipywidgets for that."""
        from IPython.display import display

        if task in self._shown:
            self._shown[task].update({"text/plain": line}, raw=True)
        else:
            self._shown[task] = display({"text/plain": line}, raw=True, display_id=True)

    @cached_property
    def _in_notebook(self) -> bool:
        return bool(_console().is_jupyter)

    @cached_property
    def _bars(self) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        # The spinner and the time show that something is done, also where one step of a task takes minutes.
        before = SpinnerColumn("line", finished_text=" "), TextColumn("{task.description}"), BarColumn()
        after = MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[pace]}")
        return Progress(*before, *after, console=_console())


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
