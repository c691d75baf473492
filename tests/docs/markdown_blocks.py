"""The code of the documentation: fenced blocks of Markdown files, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# A comment before a block says why it is not run, or which runs have to be there already.
FENCE = re.compile(
    r"(?:<!-- (?P<note>[^\n]*) -->\n+)?^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.S | re.M,
)
LOOP = re.compile(r"^for (\w+) in (.*?); do\n(.*?)^done$", re.S | re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is the content of (or of a change to), and the comment before it."""

    page: Path
    line: int
    language: str
    title: str
    text: str
    note: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All of a page, in order."""
    text = page.read_text()
    found = [
        Block(
            page, text[: m.start("text")].count("\n") + 1, m["language"], m["title"] or "", m["text"], m["note"] or ""
        )
        for m in FENCE.finditer(text)
    ]
    assert 2 * len(found) == len(re.findall("^```", text, re.M)), (
        f"{page}: a block is not closed, or of an unknown form"
    )
    return found


def commands(block: Block, variables: dict[str, str]) -> Iterator[list[str]]:
    """The words of each command of a block; assignments are kept in `variables`, loops are gone through."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    yield from _commands(text, variables)


def _commands(text: str, variables: dict[str, str]) -> Iterator[list[str]]:
    if loop := LOOP.search(text):
        yield from _commands(text[: loop.start()], variables)
        for value in loop[2].split():
            yield from _commands(loop[3], variables | {loop[1]: value})
        yield from _commands(text[loop.end() :], variables)
        return
    for line in text.splitlines():
        for name in sorted(variables, key=len, reverse=True):
            line = re.sub(rf"\${name}\b", variables[name].replace("\\", r"\\"), line)
        if assigned := re.fullmatch(r'(\w+)="(.*)"', line.strip()):
            variables[assigned[1]] = assigned[2]
        elif words := shlex.split(line, comments=True):
            yield words
