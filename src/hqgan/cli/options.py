"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hqgan.errors import UserError

if TYPE_CHECKING:
    from hqgan.config import ClassSelection

JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the result as JSON to this file.")]
ClassesOption = Annotated[
    str | None, typer.Option("--classes", help="Classes to keep, in this order, with commas: df,vasc. (default: all)")
]
MergeOption = Annotated[
    list[str] | None, typer.Option("--merge", help="NEW=A,B: classes A and B become NEW; as often as needed.")
]
ProtocolOption = Annotated[
    str | None, typer.Option("--protocol", help="hybridq: the paper's fifth of ISIC 2019, nothing downsampled.")
]
LabelOption = Annotated[
    str | None, typer.Option("--label", help="Column of Fitzpatrick17k's labels. (default: nine_partition_label)")
]


def preset_names(incomplete: str) -> list[str]:
    """Presets that begin so, for the shell's completion; loads no heavy library."""
    from hqgan.config import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


class Lists(TyperCommand):
    """A command whose repeatable options take several values at once: ``--seeds 0 1 2``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat an option's name before each of its values."""
        many = {name for p in self.params if getattr(p, "multiple", False) for name in (*p.opts, *p.secondary_opts)}
        spread: list[str] = []
        name = ""
        for arg in args:
            if arg.startswith("--"):
                name = arg if arg in many else ""
                spread.append(arg)
            elif name and spread[-1] != name:
                spread += [name, arg]
            else:
                spread.append(arg)
        return super().parse_args(ctx, spread)


def choice_changes(
    classes: str | None, merge: list[str] | None, protocol: str | None, label: str | None
) -> dict[str, Any]:
    """The options as fields of a run's config.

    Raises:
        UserError: --merge does not read NEW=A,B.
    """
    changes: dict[str, Any] = {}
    if classes is not None:
        changes["data.choice.classes"] = _names(classes)
    if merge:
        merged: dict[str, list[str]] = {}
        for text in merge:
            new, sign, old = text.partition("=")
            if not (sign and new.strip() and _names(old)):
                raise UserError(f"--merge takes NEW=A,B, as in malignant=mel,bcc, not {text!r}.")
            merged[new.strip()] = merged.get(new.strip(), []) + _names(old)
        changes["data.choice.merge"] = merged
    if protocol is not None:
        changes["data.choice.protocol"] = protocol
    if label is not None:
        changes["data.choice.label"] = label
    return changes


def choice_of(classes: str | None, merge: list[str] | None, protocol: str | None, label: str | None) -> ClassSelection:
    """The options as a choice of images and classes."""
    from hqgan import config as configs

    return configs.preset("demo", choice_changes(classes, merge, protocol, label)).data.choice


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
