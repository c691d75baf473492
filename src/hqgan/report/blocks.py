"""What a page is made of: text, tables, pictures; and how they become one HTML file that needs no other."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hqgan.errors import UserError

TEMPLATE = "page.html"


@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` sets it off from the others."""

    text: str
    kind: Literal["plain", "finding", "warning", "note"] = "plain"


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first a name and the others numbers.

    Attributes:
        head: names of the columns; all blank for none.
        rows: the cells.
        caption: below the table.
        strong: rows to set in bold.
        prose: whether cells are text, which may be broken into lines.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    strong: Sequence[int] = ()
    prose: bool = False


@dataclass(frozen=True)
class Picture:
    """An SVG as text, or a PNG as a data URI; `text` says what it shows, for who cannot see it."""

    source: str
    text: str
    pixels: bool = False


@dataclass(frozen=True)
class Code:
    """Text as it is, folded away until asked for."""

    text: str


Block = Text | Table | Picture | Code


@dataclass
class Section:
    """A heading with blocks below it."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    level: int = 2

    @property
    def anchor(self) -> str:
        """The heading's id."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-")


def png(path: Path, text: str) -> Picture:
    """A PNG file, embedded."""
    data = base64.b64encode(path.read_bytes()).decode()
    return Picture(f"data:image/png;base64,{data}", text, pixels=True)


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write one HTML file; all text is escaped.

    Raises:
        UserError: it cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.tests["of"] = lambda block, name: type(block).__name__ == name
    page = environment.get_template(TEMPLATE).render(title=title, lead=lead, sections=sections)
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"The page {path} cannot be written ({error.strerror or error}); choose another place."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """A JSON file that a command wrote.

    Raises:
        UserError: it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"There is no {path}.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as JSON ({error}); make it again.") from error
