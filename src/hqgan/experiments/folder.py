"""The folder of a study or a comparison: its settings, its result, and that one process at a time writes to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from hqgan.errors import UserError
from hqgan.io.files import others, read_json, write_atomically
from hqgan.io.lock import LOCK, exclusive
from hqgan.runtime.processes import ALL, Shard

SETTINGS = "settings.json"
"""What was asked for last."""

PROCESSES = ".processes"
"""Folder with a lock for each process of torchrun while it works."""

Kind = Literal["study", "comparison"]
_KINDS: dict[Any, Kind] = {"study": "study", "compare": "comparison"}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_atomically(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())


def read_settings(out: Path, kind: Kind, own: str) -> dict[str, Any]:
    """The settings stored in an experiment's folder; empty for a new one.

    Args:
        out: the folder; it need not exist.
        kind: of the experiment.
        own: name of the subfolder that may be there before the settings are.

    Raises:
        UserError: the path is a file, the settings are damaged or those of another kind, or there are files of others.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another `out`.")
    path = out / SETTINGS
    if not path.exists():
        if others(out, own, "log.txt", LOCK, PROCESSES, SETTINGS):
            raise UserError(f"{out} holds files that are not a {kind}'s; choose another `out`.")
        return {}
    try:
        before = read_json(path)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); choose another `out`.") from error
    # An older study does not say what it is, but it has a fingerprint.
    of = before.get("of", "study" if "fingerprint" in before else None) if isinstance(before, dict) else None
    if _KINDS.get(of) != kind:
        raise UserError(f"{out} does not hold a {kind}; choose another `out`.")
    return before


def write_settings(out: Path, kind: Kind, values: Mapping[str, Any]) -> None:
    """Store the settings of an experiment in its folder."""
    of = next(name for name, known in _KINDS.items() if known == kind)
    write_json(out / SETTINGS, {"of": of, **values})


@contextmanager
def held(out: Path, shard: Shard = ALL) -> Iterator[None]:
    """Hold the folder while this process writes to it.

    Processes of torchrun hold it together, each by a lock of its own. Either is refused while the other works there.

    Raises:
        UserError: another process holds it.
    """
    alone = shard.world == 1
    with exclusive(out if alone else out / PROCESSES / str(shard.rank)):
        for other in (out / PROCESSES).glob("*") if alone else (out,):
            with exclusive(other, patience=0 if alone else 5):  # processes of torchrun check one after the other
                pass
        yield
