"""Texts and pages from Jinja templates, and what they embed. Imports nothing of the package but sentences and images."""

from __future__ import annotations

import base64
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hqgan.io.images import png
from hqgan.wording import markdown, plural

if TYPE_CHECKING:
    from jinja2 import Template


def data_uri(data: bytes, kind: str) -> str:
    """A file as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png_uri(image: np.ndarray) -> str:
    """One uint8 image (H, W, 3) as a data URI."""
    return data_uri(png(image), "image/png")


@cache
def template(path: Path) -> Template:
    """A template file; in an .html file every value is escaped. A value that was not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    html = path.suffix == ".html"
    environment = Environment(
        loader=FileSystemLoader(path.parent), autoescape=html, keep_trailing_newline=not html, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.tests["of"] = lambda block, name: type(block).__name__ == name
    environment.globals["plural"] = plural
    environment.filters |= {
        "markdown": markdown,
        "png_uri": png_uri,
        "svg_uri": partial(data_uri, kind="image/svg+xml"),
        "zip_uri": partial(data_uri, kind="application/zip"),
    }
    return environment.get_template(path.name)


def render(path: Path, **values: Any) -> str:
    """The text of a template file, filled in."""
    return template(path).render(values)
