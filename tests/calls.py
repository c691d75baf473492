"""A reporter that calls functions: what tests use to look on, and to stop or kill work at a certain point."""

from collections.abc import Callable

from hqgan.reporter import Reporter


class Calls(Reporter):
    """Calls `message` with every text, and the function named after a task with (done, total): ``Calls(training=stop)``."""

    def __init__(self, message: Callable[[str], object] = str, **tasks: Callable[[int, int], object]) -> None:
        self._message, self._tasks = message, tasks

    def message(self, text: str) -> None:
        self._message(text)

    def progress(self, task: str, done: int, total: int, unit: str = "images") -> None:
        if task in self._tasks:
            self._tasks[task](done, total)
