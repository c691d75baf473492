"""Configs: the validated settings of a run; presets; reading and writing them as JSON."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, model_validator

from hqgan.config.critics import AnyCriticConfig, CriticConfig
from hqgan.config.generators import GeneratorConfig, HybridConfig
from hqgan.config.presets import PRESETS
from hqgan.config.refusals import refusal
from hqgan.config.sections import DataConfig, PrivacyConfig, Section, TrainingConfig
from hqgan.errors import UserError
from hqgan.io.files import read_json, write_atomically
from hqgan.wording import listed

_NEWER_FIELDS = (("data", "fit", "crop"), ("generator", "start", "default"))
"""Section, field, and what runs did before it was there: such a config keeps the digest that it had."""
_IMAGE_CRITICS = ("convolutions", "lightweight", "residual")
_CRITICS = {"mosaiq": ("features",), "latentqgan": ("features",), "ddpm": ("none",)}
"""Critics that a generator of a kind can learn with, where not those of images."""


class Config(Section):
    """Everything that decides a run's result."""

    preset: str
    """Name of the preset that the config started from."""
    data: DataConfig = DataConfig()
    generator: GeneratorConfig
    critic: AnyCriticConfig = CriticConfig()
    training: TrainingConfig = TrainingConfig()
    privacy: PrivacyConfig = PrivacyConfig()

    @property
    def private(self) -> bool:
        """Whether training is differentially private."""
        return self.privacy.epsilon is not None

    @model_validator(mode="before")
    @classmethod
    def _kind_of_critic(cls, values: Any) -> Any:
        """A critic without a kind is of the default one: there was no other before version 0.2."""
        critic = values.get("critic") if isinstance(values, dict) else None
        if isinstance(critic, dict) and "kind" not in critic:
            return {**values, "critic": {"kind": CriticConfig().kind, **critic}}
        return values

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.preset not in PRESETS:
            raise ValueError(f"preset: there is no preset {self.preset[:80]!r}; presets are {listed(sorted(PRESETS))}")
        g = self.generator
        critics = _CRITICS.get(g.kind, _IMAGE_CRITICS)
        if self.critic.kind not in critics:
            raise ValueError(
                f"critic.kind: a generator of kind {g.kind} learns with a critic of kind {listed(critics)}, "
                f"not {self.critic.kind}"
            )
        if self.critic.kind == "features" and self.training.augment:
            raise ValueError(
                "training.augment: a critic of kind features sees no images to augment; set training.augment=[]"
            )
        if self.training.path_weight and g.kind != "style":
            raise ValueError("training.path_weight: only a generator of kind style has path lengths; set it to 0")
        if isinstance(g, HybridConfig) and self.data.size != 64 and g.decoder == "vanilla":
            raise ValueError("generator.decoder: the vanilla decoder makes 64x64 images only; set data.size=64")
        if self.private and (why := refusal(self)) is not None:
            raise ValueError(why)
        return self


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


def preset(name: str, changes: dict[str, Any] | None = None) -> Config:
    """The preset `name` with `changes` (dotted field to value) applied.

    Raises:
        UserError: for an unknown preset or field, or a value that does not fit; it names the nearest right one.
    """
    if name not in PRESETS:
        raise UserError(f"There is no preset {name!r}; presets are {listed(sorted(PRESETS))}.")
    values: dict[str, Any] = {"preset": name}
    for key, section in PRESETS[name].items():
        values[key] = section.model_dump(mode="json", include={"kind"})
        values[key] |= section.model_dump(mode="json", exclude_unset=True)
    return from_dict(_with_changes(values, changes or {}))


def replace(config: Config, changes: dict[str, Any]) -> Config:
    """`config` with dotted fields changed, validated again."""
    return from_dict(_with_changes(config.model_dump(mode="json"), changes))


def from_dict(values: Any, where: str = "the config") -> Config:
    """Validate plain data.

    Raises:
        UserError: naming the first wrong field, what it held and what it takes.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(error, where, values)) from error


def read(path: Path) -> Config:
    """Read a config that `write` wrote."""
    try:
        return from_dict(read_json(path), str(path))
    except FileNotFoundError:
        raise UserError(f"There is no config at {path}; is that a run folder?") from None
    except ValueError as error:
        raise UserError(f"{path} is not readable as JSON ({error}); restore it from a copy of the run.") from error


def write(config: Config, path: Path) -> None:
    """Write the resolved config, every field, as JSON, atomically."""
    write_atomically(path, (config.model_dump_json(indent=2) + "\n").encode())


def digest(config: Config) -> str:
    """Twelve hex digits that change when anything that decides the result does (the device does not)."""
    values = config.model_dump(mode="json")
    del values["training"]["device"]
    if not config.private:
        del values["privacy"]  # which is as it was before there was any
    for section, field, before in _NEWER_FIELDS:
        if values[section].get(field) == before:
            del values[section][field]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def differences(a: Config, b: Config) -> list[str]:
    """One ``field: a's value, b's value`` for each field that differs, the device aside."""
    left, right = _flat(a.model_dump(mode="json")), _flat(b.model_dump(mode="json"))
    keys = sorted((set(left) | set(right)) - {"training.device"})
    absent = "absent"
    return [f"{k}: {left.get(k, absent)} / {right.get(k, absent)}" for k in keys if left.get(k) != right.get(k)]


def values_of(config: Config, names: Sequence[str]) -> dict[str, Any]:
    """The values of some dotted fields."""
    flat = _flat(config.model_dump(mode="json"))
    return {name: flat[name] for name in names}


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """``["training.batch=16"]`` to ``{"training.batch": 16}``; the value is JSON, or a plain word."""
    changes: dict[str, Any] = {}
    for assignment in assignments:
        field, sign, text = assignment.partition("=")
        if not sign or not field:
            raise UserError(f"`changes` takes field=value, as in training.batch=16, not {assignment!r}.")
        try:
            changes[field.strip()] = json.loads(text)
        except json.JSONDecodeError:
            changes[field.strip()] = text
    return changes


def fields() -> list[str]:
    """Every dotted field of every kind of config."""
    return sorted({field.name for name in PRESETS for field in described(preset(name))})


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
                Field(
                    prefix + name,
                    values.get(name, inner),
                    " ".join((field.description or "").replace("``", "").split()),
                )
            )
    return found


def _with_changes(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for field, value in changes.items():
        *parents, last = field.split(".")
        place: Any = values
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise UserError(f"{field}: {parent} holds a value, not fields.")
        place[last] = value
    return values


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in values.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out


def _nearest(field: str, name: str | None) -> str | None:
    """The field that was probably meant: one of the same last name anywhere in the config, else of the most similar one.

    Fields of the preset `name` come before those of others.
    """

    def likeness(other: str) -> float:
        return difflib.SequenceMatcher(None, field, other).ratio()

    by_last: dict[str, list[str]] = {}
    for known in fields():
        by_last.setdefault(known.rpartition(".")[2], []).append(known)
    last = field.rpartition(".")[2]
    similar = [last] if last in by_last else difflib.get_close_matches(last, by_last, n=1, cutoff=0.7)
    found = by_last[similar[0]] if similar else difflib.get_close_matches(field, fields(), n=1, cutoff=0.5)
    if name is not None:
        own = _flat(preset(name).model_dump(mode="json"))
        found = [known for known in found if known in own] or found
    return max(found, key=likeness, default=None)


def _sentence(error: ValidationError, where: str, values: Any) -> str:
    first = error.errors()[0]
    section, *rest = first["loc"] or ("",)
    # A discriminated union puts the kind into the location; people write the field without it.
    if section in ("generator", "critic"):
        rest = rest[1:]
    field = ".".join(map(str, (section, *rest)))
    if first["type"] == "extra_forbidden":
        inner, meant = first.get("input"), field
        while isinstance(inner, dict) and len(inner) == 1:  # a section that there is not, with the field that was set
            (key, inner), *_ = inner.items()
            meant += f".{key}"
        name = values.get("preset") if isinstance(values, dict) else None
        near = _nearest(meant, name if name in PRESETS else None)
        hint = f"; did you mean {near}?" if near else "; `hqgan config` prints every field."
        return f"{where} has no field {field!r}{hint}"
    given = first.get("input")
    shown = "" if isinstance(given, dict) else f" (it is {given!r})"
    message = first["msg"].removeprefix("Value error, ")
    if isinstance(given, float) and not math.isfinite(given):
        message = "must be a finite number"
    return f"{where}: {field}: {message[0].lower() + message[1:]}{shown}." if field else f"{where}: {message}."
