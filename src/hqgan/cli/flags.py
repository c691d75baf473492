"""Names of fields in error sentences, and the flags by which the command line sets them."""

from __future__ import annotations

import re

FLAGS = {
    "backend": "--backend",
    "batch": "--batch",
    "changes": "--set",
    "class": "--class",
    "classes": "--classes",
    "contestants": "--presets",
    "data": "--data",
    "data.choice.classes": "--classes",
    "data.choice.label": "--label",
    "data.choice.merge": "--merge",
    "data.choice.protocol": "--protocol",
    "data.path": "--data",
    "data.size": "--size",
    "device": "--device",
    "download": "--download",
    "drop_copies": "--drop-copies",
    "fill": "--fill",
    "fractions": "--real-fraction",
    "generators": "--generators",
    "host": "--host",
    "images": "--images",
    "jobs": "--jobs",
    "kimg": "--kimg",
    "label": "--label",
    "layers": "--depth",
    "merge": "--merge",
    "mitigation": "--mitigation",
    "noise": "--noise",
    "originals": "--originals",
    "out": "--out",
    "per_class": "--per-class",
    "port": "--port",
    "privacy.delta": "--dp-delta",
    "privacy.epsilon": "--dp-epsilon",
    "protocol": "--protocol",
    "public": "--public",
    "qubits": "--qubits",
    "resume": "--resume",
    "seconds": "--seconds",
    "seed": "--seed",
    "seeds": "--seeds",
    "shots": "--shots",
    "size": "--size",
    "study": "--study",
    "training.batch": "--batch",
    "training.device": "--device",
    "training.kimg": "--kimg",
    "training.seed": "--seed",
    "weights": "--weights",
    "yes": "--yes",
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
