"""Options that several commands have, each defined once; how lists are given; options as fields of a config."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hqgan.errors import UserError
from hqgan.reporter import Terminal

if TYPE_CHECKING:
    from hqgan.config.sections import ClassSelection

DATA, MODEL, OUTPUT, ADVANCED = "Data", "Model and training", "Output", "Advanced"
"""Panels of options in ``--help``."""

HOME = re.compile(r"(?:^|(?<==))~(?=/|$)")
"""The home folder at the start of a value, which shells leave as it is after an equals sign."""

LISTS = (
    "Options shown with ... take several values: one after another (--classes nv mel), or by repeating the option "
    "(--classes nv --classes mel). Commas separate numbers and names, too (--classes nv,mel), except within the name of a "
    "class ('Melanoma, NOS') and within double quotes."
)
"""How lists are given, in every command."""


def preset_names(incomplete: str) -> list[str]:
    """Presets that begin so, for the shell's completion; loads no heavy library."""
    from hqgan.config import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def option(panel: str, help_: str, *flags: str, **more: Any) -> Any:
    """An option in a panel of ``--help``; its flag is the name of its parameter unless `flags` say otherwise."""
    return typer.Option(*flags, help=help_, rich_help_panel=panel, **more)


def several(panel: str, value: str, help_: str, *flags: str, **more: Any) -> Any:
    """An option that takes several values, each called `value` in ``--help``; see `LISTS`."""
    return option(panel, help_, *flags, metavar=f"{value} ...", **more)


def seed_of(what: str) -> Any:
    """The option ``--seed``, with what it seeds."""
    return option(ADVANCED, f"Random seed of {what}; equal seeds give equal results.", min=0)


RUN_OR_FOLDER = typer.Argument(help="A run, or a folder with one sub-folder of images per class.")
Run = Annotated[Path, typer.Argument(help="The folder of a run, or the .json file of a checkpoint.")]
Preset = Annotated[
    str, typer.Argument(help="Name of a preset; `hqgan presets` lists them.", autocompletion=preset_names)
]

DATA_HELP = "Folder or archive of the data set, or demo for procedural lesions. (default: demo)"
Data = Annotated[str | None, option(DATA, DATA_HELP)]
RealData = Annotated[str | None, option(DATA, "Folder of the real images. (default: where the run found them)")]
Classes = Annotated[list[str] | None, several(DATA, "CLASS", "Classes to keep, in this order. (default: all)")]
Merge = Annotated[list[str] | None, several(DATA, "NEW=A,B", "Merge the classes A and B into one called NEW.")]
PROTOCOL_HELP = (
    "Selection of images. hybridq: a fifth of ISIC 2019 without its downsampled images, as in the paper. "
    "(default: all images)"
)
Protocol = Annotated[str | None, option(DATA, PROTOCOL_HELP)]
LABEL_HELP = (
    "Column of the labels, where a published data set has several: nine_partition_label for Fitzpatrick17k, diagnosis_3 for "
    "the ISIC archive. (default: these)"
)
Label = Annotated[str | None, option(DATA, LABEL_HELP)]
TABLE_HELP = "CSV file with a row for each image, as a data set; --data is the images' folder. (default: the table's)"
Table = Annotated[Path | None, option(DATA, TABLE_HELP)]
COLUMN_HELP = "Column of --table with {}. (default: found by its name, such as {})"
ImageColumn = Annotated[str | None, option(DATA, COLUMN_HELP.format("the images' files", "image or filename"))]
LabelColumn = Annotated[str | None, option(DATA, COLUMN_HELP.format("the classes", "label or diagnosis"))]
GroupColumn = Annotated[
    str | None, option(DATA, COLUMN_HELP.format("what stays on one side of the split", "patient_id or lesion_id"))
]
GROUPS_HELP = (
    "CSV file with the columns file and group: the patient or lesion of each image. (default: groups.csv in the data)"
)
Groups = Annotated[Path | None, option(DATA, GROUPS_HELP)]
Size = Annotated[int | None, option(DATA, "Side of the images in pixels, 32 or 64. (default: 64)")]

KIMG_HELP = "Length of training: thousands of real images shown to the critic. (default: the preset's)"
Kimg = Annotated[float | None, option(MODEL, KIMG_HELP, min=0.001)]
Batch = Annotated[int | None, option(MODEL, "Real images per step. (default: the preset's)")]
SEEDS_HELP = (
    "How many seeds: everything is repeated with the seeds 0, 1, 2 and so on, each with a split, initial weights and "
    "noise of its own. (default: 3)"
)
Seeds = Annotated[int | None, option(MODEL, SEEDS_HELP, min=1)]
CLASS_HELP = "Number of generated images of a class."
ClassCounts = Annotated[list[str] | None, several(MODEL, "NAME=COUNT", CLASS_HELP, "--class")]

DEVICE_HELP = (
    "Device for the networks: auto, cpu, cuda, cuda:1 and so on; auto takes CUDA if there is one. (default: auto)"
)
Device = Annotated[str | None, option(ADVANCED, DEVICE_HELP)]
SET_HELP = "Set any field of the config, as in training.lr_critic=1e-4; `hqgan config PRESET` lists them."
Set = Annotated[list[str] | None, several(ADVANCED, "FIELD=VALUE", SET_HELP, "--set")]
WEIGHTS_HELP = (
    "Files with the weights of inception, dinov2 or alexnet (for LPIPS), whose metrics are then computed, too."
)
Pretrained = Annotated[list[str] | None, several(ADVANCED, "NAME=FILE", WEIGHTS_HELP)]
Download = Annotated[bool, option(ADVANCED, "Download such weights if no file is given.", "--download")]
DROP_HELP = "Leave out the images that `hqgan audit` flagged as copies; takes its file flagged.csv."
DropCopies = Annotated[Path | None, option(ADVANCED, DROP_HELP)]

Json = Annotated[Path | None, option(OUTPUT, "Write the result to this file as JSON, too.", "--json")]
EXPERIMENT_HELP = "Folder of the results. What is finished in it is not computed again."
ExperimentFolder = Annotated[Path, option(OUTPUT, EXPERIMENT_HELP)]
Picture = Annotated[Path | None, option(OUTPUT, "Write a picture of the result to this file, .svg or .png.")]


class Lists(TyperCommand):
    """A command whose repeatable options take several values, as `LISTS` says; a terminal shows at once that it has begun."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if any(getattr(p, "multiple", False) for p in self.params):
            self.epilog = LISTS

    def invoke(self, ctx: Any) -> Any:
        """Say which command has begun: libraries take seconds to load."""
        if sys.stderr.isatty():
            Terminal().message(f"{ctx.command_path}: loading libraries")
        return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat an option's name before each of its values. Arguments that would be missing are the last of these values."""
        args = [HOME.sub(lambda found: str(Path(found[0]).expanduser()), arg) for arg in args]
        lists = {name for p in self.params if getattr(p, "multiple", False) for name in p.opts}
        words: list[tuple[str, ...]] = []
        flag, value_follows = "", False
        for arg in args:
            if arg.startswith("-") and not arg[1:2].isdigit():
                flag, equals, _ = arg.partition("=")
                value_follows = not equals
                words.append((arg,))
            elif flag in lists and not value_follows:
                words.append((flag, arg))
            else:
                value_follows = False
                words.append((arg,))
        given = self.make_parser(ctx).parse_args(args=[part for word in words for part in word])[0]
        arguments = [p for p in self.params if p.param_type_name == "argument" and p.required]
        missing = sum(not isinstance(given.get(p.name), (str, list, tuple)) or not given[p.name] for p in arguments)
        further = [place for place, word in enumerate(words) if len(word) == 2]
        for place in further[len(further) - missing :] if missing else []:
            words[place] = words[place][1:]
        return super().parse_args(ctx, [part for word in words for part in word])


def split(texts: Iterable[str] | None) -> list[str]:
    """The values of a list option; commas separate, but not within double quotes."""
    rows = csv.reader(texts or [], skipinitialspace=True)
    return [part.strip() for row in rows for part in row if part.strip()]


def whole_numbers(texts: Iterable[str], flag: str, least: int) -> list[int]:
    """The whole numbers of a list option.

    Raises:
        UserError: one of them is none, or below `least`.
    """
    parts = split(texts)
    if not parts or not all(part.isdecimal() and int(part) >= least for part in parts):
        raise UserError(f"{flag} takes whole numbers from {least} on, as in 1 2 4, not {' '.join(texts)!r}.")
    return [int(part) for part in parts]


def numbers(texts: Iterable[str], flag: str, most: float = float("inf")) -> list[float]:
    """The numbers of a list option, above 0 and up to `most`.

    Raises:
        UserError: one of them is none, or outside.
    """
    try:
        found = [float(part) for part in split(texts)]
    except ValueError:
        found = [-1.0]
    if not all(0 < value <= most for value in found):
        upto = f" and up to {most:g}" if most < float("inf") else ""
        raise UserError(f"{flag} takes numbers above 0{upto}, as in 0.001 0.01, not {' '.join(texts)!r}.")
    return found


def pairs(flag: str, texts: Iterable[str] | None) -> list[tuple[str, str]]:
    """The names and files of an option that takes NAME=FILE.

    Raises:
        UserError: one of the values is not of that form.
    """
    for text in texts or []:
        if not all(text.partition("=")):
            raise UserError(f"{flag} takes NAME=FILE, not {text!r}.")
    return [(text.partition("=")[0], text.partition("=")[2]) for text in texts or []]


def given_fields(**values: Any) -> dict[str, Any]:
    """Fields of a config by their dotted names, a double underscore for each dot, without those that are None."""
    return {name.replace("__", "."): value for name, value in values.items() if value is not None}


def selection_fields(
    classes: list[str] | None,
    merge: list[str] | None,
    protocol: str | None,
    label: str | None,
    table: Path | None,
    image_column: str | None,
    label_column: str | None,
    group_column: str | None,
    groups: Path | None,
) -> dict[str, Any]:
    """The options that select images and classes, as fields of a config; `with_class_names` then parts names at commas.

    Raises:
        UserError: --merge does not read NEW=A,B; a column is given without a table.
    """
    changes: dict[str, Any] = {}
    if classes is not None:
        changes["data.choice.classes"] = [text for text in classes if text.strip()]
    if merge:
        merged: dict[str, list[str]] = {}
        for text in merge:
            new, sign, old = text.partition("=")
            if not (sign and new.strip() and split([old])):
                raise UserError(f"--merge takes NEW=A,B, as in malignant=mel,bcc, not {text!r}.")
            merged[new.strip()] = [*merged.get(new.strip(), []), old]
        changes["data.choice.merge"] = merged
    if table is None and (image_column or label_column or group_column):
        raise UserError("--image-column, --label-column and --group-column are of a --table; give it, too.")
    return changes | given_fields(
        data__choice__protocol=protocol, data__choice__label=label,
        data__choice__table=table and str(table.expanduser().absolute()), data__choice__image_column=image_column,
        data__choice__label_column=label_column, data__choice__group_column=group_column,
        data__choice__groups=groups and str(groups.expanduser().absolute()),
    )  # fmt: skip


def folder_of(data: str | None, table: Path | None) -> str | None:
    """The data's folder: of a table without one, the table's own."""
    return str(table.expanduser().absolute().parent) if table is not None and data is None else data


def with_class_names(fields: dict[str, Any], data: str | None) -> dict[str, Any]:
    """Fields in which commas part the names of classes, except those in a name that the data have; see `LISTS`.

    Args:
        fields: of `selection_fields`.
        data: the data's folder, listed only where a name has a comma; None is demo.
    """
    from hqgan import config as configs
    from hqgan.data.open import class_names
    from hqgan.data.select import parted

    classes, merge = fields.get("data.choice.classes"), fields.get("data.choice.merge", {})
    given = [*(classes or []), *(text for old in merge.values() for text in old)]
    if not any(set(text) & set(',"') for text in given):
        known: tuple[str, ...] = ()
    else:
        plain = {
            name: value for name, value in fields.items() if name not in ("data.choice.classes", "data.choice.merge")
        }
        known = class_names(data or "demo", configs.preset("demo", plain).data.choice)
    fields = dict(fields)
    if merge:
        fields["data.choice.merge"] = {new: parted(old, known) for new, old in merge.items()}
    if classes is not None:
        fields["data.choice.classes"] = parted(classes, (*known, *merge))
    return fields


def selection_of(fields: dict[str, Any], data: str | None) -> ClassSelection:
    """The options that select images and classes, as a `ClassSelection`.

    Args:
        fields: of `selection_fields`.
        data: the data's folder.
    """
    from hqgan import config as configs

    return configs.preset("demo", with_class_names(fields, data)).data.choice


def classes_in(texts: list[str] | None, choice: ClassSelection, data: str | None) -> list[str]:
    """The values of an option that names classes of the data after these are chosen and merged; see `with_class_names`."""
    from hqgan.data.open import class_names
    from hqgan.data.select import parted

    commas = any(set(text) & set(',"') for text in texts or [])
    known = [*choice.merge, *class_names(data or "demo", choice)] if commas else []
    return parted(texts or [], known)
