"""Names of fields in error sentences, and the flags by which the command line sets them."""

from __future__ import annotations

import re

NAMES = (
    "allow_change backend batch class classes data device download drop_copies fill generators group_column groups "
    "host image_column images jobs kimg label label_column merge mitigation noise originals out per_class port "
    "protocol public qubits resume root_path seconds seed seeds shots size study table weights yes"
)
"""Arguments whose flags have the same name."""

FLAGS = {name: f"--{name.replace('_', '-')}" for name in NAMES.split()} | {
    "changes": "--set",
    "contestants": "--presets",
    "data.choice.classes": "--classes",
    "data.choice.group_column": "--group-column",
    "data.choice.groups": "--groups",
    "data.choice.image_column": "--image-column",
    "data.choice.label": "--label",
    "data.choice.label_column": "--label-column",
    "data.choice.merge": "--merge",
    "data.choice.protocol": "--protocol",
    "data.choice.table": "--table",
    "data.path": "--data",
    "data.size": "--size",
    "fractions": "--real-fraction",
    "layers": "--depth",
    "privacy.delta": "--dp-delta",
    "privacy.epsilon": "--dp-epsilon",
    "training.batch": "--batch",
    "training.device": "--device",
    "training.kimg": "--kimg",
    "training.seed": "--seed",
}
"""Arguments of functions and fields of the config, as sentences name them in backticks, and their flags."""


def with_flags(sentence: str) -> str:
    """An error sentence with flags in place of names in backticks: "choose another `out`" becomes "choose another --out".

    A field of the config without a flag of its own is set by ``--set``; other words in backticks stay as they are.
    """

    def flag(match: re.Match[str]) -> str:
        name = match[1]
        return FLAGS.get(name) or (f"--set {name}" if "." in name else match[0])

    return re.sub(r"`([a-z_]+(?:\.[a-z_]+)*)`", flag, sentence)
