"""Texts and pages from Jinja templates. Imports nothing of the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def template(path: Path) -> Template:
    """A template file; in an .html file every value is escaped, and a value that was not given is an error everywhere."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(path.parent), autoescape=path.suffix == ".html", undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=path.suffix != ".html",
    )  # fmt: skip
    environment.tests["of"] = lambda block, name: type(block).__name__ == name
    return environment.get_template(path.name)


def render(path: Path, **values: Any) -> str:
    """The text of a template file, filled in."""
    return template(path).render(values)
