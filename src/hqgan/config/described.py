"""Every field of a config with its value and what it means, for `hqgan config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Field:
    """A field of a config.

    Attributes:
        name: dotted, as ``training.batch``.
        value: what JSON can hold.
        help: what the field means, in one line.
    """

    name: str
    value: Any
    help: str


def described(section: BaseModel, prefix: str = "") -> list[Field]:
    """The fields of a config or of one of its sections, in their order; the help lines are the docstrings of the fields."""
    found: list[Field] = []
    values = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        inner = getattr(section, name)
        if isinstance(inner, BaseModel):
            found += described(inner, f"{prefix}{name}.")
        else:
            found.append(
                Field(prefix + name, values[name], " ".join((field.description or "").replace("``", "").split()))
            )
    return found
