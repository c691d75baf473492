"""Images whose classes, or whose lesions or patients, are in a table of someone's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from hqgan.config.sections import ClassSelection
from hqgan.data.index import DatasetIndex, is_image, walk_images
from hqgan.data.tables import table_columns, table_rows
from hqgan.errors import UserError
from hqgan.wording import listed, plural

GROUPS = "groups.csv"
"""A table in a folder of images: file and group."""
IMAGE_NAMES = (
    "image", "image_id", "image_name", "image_file", "img", "img_id", "isic_id", "file", "filename", "file_name", "filepath",
    "path",
)  # fmt: skip
LABEL_NAMES = ("label", "class", "diagnosis", "dx", "target", "category", "disease")
GROUP_NAMES = (
    "group", "group_id", "patient", "patient_id", "subject", "subject_id", "lesion", "lesion_id", "case", "case_id",
)  # fmt: skip
"""Names, in small letters, by which a column is found where none is given; the first that is there is taken."""


def from_table(root: Path, choice: ClassSelection) -> DatasetIndex:
    """List the images of a table: a row for each, with its file, its class and, where there is such a column, its group.

    Args:
        root: the folder of the images. A row names its image by its path in it, or by its name where only one image has that
            name; the ending can be left out.
        choice: the table, and its columns; those not given are found by their names.

    Raises:
        UserError: the table or the folder cannot be read, or has no such columns.
    """
    table = _readable(Path(choice.table), "table")
    if not root.is_dir():
        raise UserError(f"{root} is no folder: give the folder of the table's images as `data`.")
    if choice.label:
        raise UserError("Of a table, the column of the labels is given as `label_column`, not as `label`.")
    image = _column(table, choice.image_column, IMAGE_NAMES, "image_column", "images")
    label = _column(table, choice.label_column, LABEL_NAMES, "label_column", "classes")
    group = _column(table, choice.group_column, GROUP_NAMES, "group_column", "")
    rows = table_rows(table, {image, label, group} - {""})
    files = walk_images(root)
    find = finder(files)
    known = [row for row in rows if row[image] and row[label]]
    classes = tuple(sorted({row[label] for row in known}))
    index = DatasetIndex("table", classes, [], [], [], "unknown", total=len(known))
    for row in sorted(known, key=lambda row: row[image]):
        index.add(find(row[image]), row[image], row[label], row[group] if group else "")
    if bare := len(rows) - len(known):
        index.skipped.append(
            (f"{table.name}/", f"{bare:,} of its {plural(len(rows), 'row')} have no {image} or no {label}")
        )
    if unnamed := len(set(files) - index.taken.keys()):
        index.skipped.append((f"{root.name}/", f"{plural(unnamed, 'image')} that no row of the table names"))
    return index


def with_groups(index: DatasetIndex, given: str, root: Path) -> DatasetIndex:
    """An index with the groups of a table, or of a folder's own `GROUPS`; unchanged where there is neither.

    Args:
        index: of a data set whose images are files.
        given: the table; empty takes `GROUPS` in a folder with a sub-folder per class.
        root: the data's folder.

    Raises:
        UserError: the table cannot be read, names none of the images, or puts an image into two groups.
    """
    table = Path(given) if given else root / GROUPS
    if not given and (index.name != "folder" or not table.is_file()):
        return index
    if index.archive or index.recipe:
        raise UserError(f"{index.name} has no files that a table of groups could name; leave `groups` out.")
    _readable(table, "groups")
    file_column = _column(table, "", IMAGE_NAMES, "", "images")
    group_column = _column(table, "", GROUP_NAMES, "", "groups")
    find = finder(index.files)
    groups: dict[str, str] = {}
    lost = 0
    for row in table_rows(table, {file_column, group_column}):
        file = find(row[file_column])
        if file is None:
            lost += 1
        elif groups.setdefault(file, row[group_column]) != row[group_column]:
            raise UserError(
                f"{table} puts {file} into two groups, {groups[file]!r} and {row[group_column]!r}; leave one."
            )
    if not groups:
        raise UserError(
            f"{table} names no image of {root}: its column {file_column} has to hold their paths, as in {index.files[0]}."
        )
    notes = [(f"{table.name}/", f"{plural(lost, 'row')} of it name no image here")] if lost else []
    return replace(
        index,
        groups=[groups.get(file) or group for file, group in zip(index.files, index.groups, strict=True)],
        skipped=[*index.skipped, *notes],
    )


def finder(files: Iterable[str]) -> Callable[[str], str | None]:
    """A function from an image as a table names it to one of `files`; None where no file has that name, or several have.

    Tables name images by their path, by a path from another folder on, or by their name, with or without its ending.
    """
    exact = set(files)
    by_name: dict[str, list[str]] = {}
    for file in sorted(exact):
        by_name.setdefault(_bare(file).rpartition("/")[2], []).append(file)

    def find(text: str) -> str | None:
        path = text.replace("\\", "/").removeprefix("./").strip("/")
        if path in exact:
            return path
        bare = _bare(path)
        alike = [
            file
            for file in by_name.get(bare.rpartition("/")[2], [])
            if f"/{_bare(file)}".endswith(f"/{bare}") or f"/{bare}".endswith(f"/{_bare(file)}")
        ]
        same = [file for file in alike if PurePosixPath(file).name.lower() == PurePosixPath(path).name.lower()]
        chosen = same or alike
        return chosen[0] if len(chosen) == 1 else None

    return find


def _bare(file: str) -> str:
    """Without its ending, if it is that of an image, and in small letters."""
    return (file.rpartition(".")[0] if is_image(file) else file).lower()


def _readable(table: Path, field: str) -> Path:
    if not table.is_file():
        raise UserError(f"There is no table {table}: give a CSV file as `{field}`.")
    return table


def _column(table: Path, given: str, names: Sequence[str], field: str, what: str) -> str:
    """The column that is given, else the first of the table's that has one of `names`.

    Raises:
        UserError: there is none, and `what` it holds is needed.
    """
    columns = table_columns(table)
    if given:
        if given not in columns:
            raise UserError(f"{table} has no column {given!r} for `{field}`; it has {listed(sorted(columns))[:300]}.")
        return given
    plain = {name.lower(): name for name in columns}
    found = next((plain[name] for name in names if name in plain), "")
    if not found and what:
        advice = f"name it by `{field}`" if field else f"call it {names[0]}"
        raise UserError(f"Which column of {table} holds the {what}? It has {listed(sorted(columns))[:300]}; {advice}.")
    return found
