"""Errors that a user can correct. Imports nothing of the package."""

from __future__ import annotations


class UserError(Exception):
    """Bad input: one sentence that says what is wrong, where, and what to do. The command line exits with 2.

    Line breaks and control characters, which names and values from strangers can hold, are shown as escapes.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence))


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory has run out, of Python, of the processor or of an accelerator."""
    signs = ("out of memory", "not enough memory", "can't allocate memory")
    said = isinstance(error, RuntimeError) and any(words in str(error).lower() for words in signs)
    return said or isinstance(error, MemoryError)
