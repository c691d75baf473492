"""Tables beside images, as publishers and spreadsheets save them: which separator and encoding they have, and their rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hqgan.errors import UserError
from hqgan.wording import listed

SEPARATORS = ",;\t"
"""Of equally good ones the first is taken. Spreadsheets of many countries write semicolons, Harvard Dataverse tabs."""
ENDINGS = frozenset({".csv", ".tab", ".tsv"})
HEAD_BYTES = 1 << 16
"""So much of a file is read to learn its columns."""


def table_columns(path: Path) -> set[str]:
    """The names of a table's columns; empty if it has no first line of text."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    line = head.decode(_encoding(head), "replace").lstrip("\ufeff").splitlines()[:2]
    try:
        return set(_names(line))
    except csv.Error:
        return set()


def table_rows(path: Path, wanted: Collection[str]) -> list[dict[str, str]]:
    """The rows of a table, without spaces around names and values.

    Args:
        path: the file, separated by commas, semicolons or tabs, in UTF-8 or UTF-16; its first line names the columns.
        wanted: columns that it must have.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode(_encoding(raw)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path} is not a readable table: the byte 0x{raw[error.start]:02x} in line {line:,} is not {error.encoding}; "
            "save it as UTF-8 (spreadsheets call that CSV UTF-8)."
        ) from error
    try:
        lines = io.StringIO(text, newline="")
        if text[:4].lower() == "sep=":  # Excel's own first line
            lines.readline()
        place = lines.tell()
        names = _names([lines.readline()])
        lines.seek(place)
        reader = csv.DictReader(lines, delimiter=_separator(text.splitlines()[:2]))
        if lacking := sorted(set(wanted) - set(names)):
            raise UserError(
                f"{path} lacks the columns {listed(lacking)}, and has {listed(names)[:300]}: save it with commas, semicolons "
                "or tabs between columns, or download it again."
            )
        found = []
        for row in reader:
            clean = _without_spaces(row)
            if not clean.keys() >= set(wanted):
                raise UserError(f"{path} is cut short in line {reader.line_num}; download it again.")
            found.append(clean)
        return found
    except csv.Error as error:
        raise UserError(f"{path} is not a readable table ({error}); download it again.") from error


def _encoding(raw: bytes) -> str:
    """UTF-16 where a mark or zero bytes show it, as spreadsheets write "Unicode text"; else UTF-8."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in raw[:2]:
        return "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
    return "utf-8"


def _separator(lines: list[str]) -> str:
    """The separator that parts the first line, without Excel's ``sep=``, into most columns."""
    line = next((line for line in lines if line[:4].lower() != "sep="), "")
    return max(SEPARATORS, key=lambda sign: len(next(csv.reader([line], delimiter=sign), [])))


def _names(lines: list[str]) -> list[str]:
    line = next((line for line in lines if line[:4].lower() != "sep="), "")
    return [name.strip() for name in next(csv.reader([line], delimiter=_separator([line])), [])]


def _without_spaces(row: Mapping[Any, Any]) -> dict[str, str]:
    """A row as `csv.DictReader` gives it, without spaces around names and values; values that are no text are left out."""
    return {(name or "").strip(): value.strip() for name, value in row.items() if isinstance(value, str)}
