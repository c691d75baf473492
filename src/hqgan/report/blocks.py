"""The parts of a report (text, tables, pictures), and how they are written as one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hqgan.errors import UserError
from hqgan.io.files import LARGEST_TABLE, read_limited, write_atomically
from hqgan.io.templates import data_uri, render
from hqgan.wording import cell


@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` sets how it is displayed."""

    text: str
    kind: Literal["plain", "warning", "note"] = "plain"


@dataclass(frozen=True)
class Table:
    """A table whose first column holds names and whose other columns hold numbers.

    Attributes:
        head: names of the columns; all blank for a table without a head.
        rows: the cells.
        caption: shown below the table.
        strong: indices of rows in bold.
        prose: whether the cells are text that may be broken into lines.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    strong: Sequence[int] = ()
    prose: bool = False


@dataclass(frozen=True)
class Picture:
    """An SVG as text, or a PNG as a data URI; `text` is its caption and alternative text."""

    source: str
    text: str
    pixels: bool = False


@dataclass(frozen=True)
class Code:
    """Preformatted text."""

    text: str


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until the reader opens them; `title` says what they are."""

    title: str
    blocks: Sequence[Text | Table | Picture | Code]


Block = Text | Table | Picture | Code | Details


@dataclass(frozen=True)
class Finding:
    """A verdict, shown in a box at the top of the page; `level` sets its colour, `of` says what it is on."""

    of: str
    text: str
    level: Literal["bad", "unclear", "good", "none"] = "none"


@dataclass
class Section:
    """A heading and the blocks below it; its `findings` stand at the top of the page. One without blocks is not shown."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    level: int = 2
    findings: list[Finding] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The id of the heading."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-")


def table_of(rows: Iterable[Mapping[str, Any]], head: str, form: str, caption: str = "") -> Table:
    """A table that is written as in Markdown, with ``|`` between the columns.

    Args:
        rows: values by name.
        head: names of the columns: ``class | N``.
        form: how a row is written, each cell as by `cell`: ``{class} | {n:,}``.
        caption: shown below the table.
    """
    return Table(head.split(" | "), [[cell(part, **row) for part in form.split(" | ")] for row in rows], caption)


def png(path: Path, text: str) -> Picture:
    """A PNG file, embedded."""
    return Picture(data_uri(path.read_bytes(), "image/png"), text, pixels=True)


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write a self-contained HTML file; all text is escaped.

    Raises:
        UserError: it cannot be written.
    """
    findings = [
        (finding, section.anchor if section.blocks else None) for section in sections for finding in section.findings
    ]
    shown = [section for section in sections if section.blocks]
    page = render(Path(__file__).with_name("report.html"), title=title, lead=lead, sections=shown, findings=findings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page.encode())
    except OSError as error:
        raise UserError(
            f"The report {path} cannot be written ({error.strerror or error}); choose another path."
        ) from error


def read(path: Path) -> dict[str, Any]:
    """A JSON file that a command wrote.

    Raises:
        UserError: it is missing or not JSON.
    """
    try:
        return json.loads(read_limited(path, LARGEST_TABLE).decode())
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); run the command that wrote it again.") from error
