"""The exact command that continues a study or a comparison, from the settings that its folder holds."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

_CHOICE = {"classes": "--classes", "protocol": "--protocol", "label": "--label"}
_STUDY = {
    "data": "--data", "size": "--size", "fractions": "--real-fraction", "generators": "--generators", "given": "--given",
    "kimg": "--kimg", "fill": "--fill", "uses": "--uses", "ratios": "--ratios", "classifiers": "--classifiers",
    "steps": "--steps", "jobs": "--jobs", "device": "--device",
}  # fmt: skip
_COMPARE = {
    "data": "--data", "size": "--size", "images": "--images", "contestants": "--presets", "seeds": "--seeds", "kimg": "--kimg",
    "seconds": "--seconds", "device": "--device",
}  # fmt: skip
"""Options of the fields of both commands' settings."""


def continuing(out: Path) -> str | None:
    """The command that continues the unfinished study or comparison in a folder; None where there is none, or it is finished.

    Only what differs from the command's defaults is named.
    """
    from hqgan.experiments import compare, study
    from hqgan.experiments.folder import SETTINGS

    try:
        found = json.loads((out / SETTINGS).read_text())
        of = found.get("of", "study" if "fingerprint" in found else "")
    except (OSError, ValueError, AttributeError):
        return None
    if of not in ("study", "compare") or (out / f"{of}.json").exists():
        return None
    if of == "study" and list(found["seeds"]) != list(range(len(found["seeds"]))):
        return None  # seeds that only Python can ask for
    words = ["hqgan", of, "--out", str(out)]
    if of == "study":
        words += _given(found, vars(study.Settings("demo")), _STUDY)
        if tuple(found["seeds"]) != study.Settings("demo").seeds:
            words += ["--seeds", str(len(found["seeds"]))]
        words += [part for pair in found.get("weights", ()) for part in ("--weights", "=".join(pair))]
        choice = found.get("choice", {})
        words += [part for name, flag in _CHOICE.items() if choice.get(name) for part in (flag, *_values(choice[name]))]
        words += [
            part for new, old in choice.get("merge", {}).items() for part in ("--merge", f"{new}={','.join(old)}")
        ]
    else:
        words += _given(found, vars(compare.Settings()), _COMPARE)
        words += ["--study"] if found.get("study") is not None else []
        changes = found.get("changes", {}).items()
        words += [part for name, value in changes for part in ("--set", f"{name}={json.dumps(value)}")]
    return shlex.join(words)


def _given(found: dict[str, Any], defaults: dict[str, Any], flags: dict[str, str]) -> list[str]:
    """Options for the settings that are not the defaults."""
    given = {name: found.get(name) for name in flags if _values(found.get(name)) != _values(defaults[name])}
    return [part for name, value in given.items() for part in (flags[name], *_values(value))]


def _values(value: Any) -> list[str]:
    """A setting's values as they are given on the command line."""
    return [
        f"{v:g}" if isinstance(v, float) else str(v) for v in (value if isinstance(value, list | tuple) else [value])
    ]
