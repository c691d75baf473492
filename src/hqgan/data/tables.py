"""Reading the CSV tables of data sets."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from hqgan.errors import UserError
from hqgan.wording import listed


def columns(path: Path) -> set[str]:
    """The names of a CSV file's columns; empty if it is not a CSV file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return {name.strip() for name in next(csv.reader(file), [])}
    except (UnicodeDecodeError, csv.Error):
        return set()


def rows(path: Path, wanted: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, without spaces around names and values.

    Args:
        path: the file, whose first line has the names of the columns.
        wanted: columns that it must have.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if lacking := sorted(set(wanted) - {name.strip() for name in reader.fieldnames or ()}):
                raise UserError(f"{path} lacks the columns {listed(lacking)}; download it again.")
            found = []
            for row in reader:
                clean = {(k or "").strip(): v.strip() for k, v in row.items() if isinstance(v, str)}
                if not clean.keys() >= set(wanted):
                    raise UserError(f"{path} is cut short in line {reader.line_num}; download it again.")
                found.append(clean)
            return found
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a readable table ({error}); download it again.") from error
