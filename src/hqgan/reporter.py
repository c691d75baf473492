"""Messages and progress of long work. Imports nothing of the package."""

from __future__ import annotations


class Reporter:
    """Receives messages and progress of long work, and ignores them.

    Every function that may take long has a parameter ``reporter``. Subclasses show what they receive
    (`hqgan.cli.terminal.Terminal`) or act on it: an exception that they raise stops the work.
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
