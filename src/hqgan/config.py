"""What a run is made of, as validated data: models, presets, JSON in and out, one sentence for each mistake."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hqgan.types import UserError, listed

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of the config: unknown fields are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(Section):
    """Where the images come from. The split is drawn from `seed`, so two runs with one seed share their test images."""

    path: str = "demo"
    size: Literal[32, 64] = 64
    seed: int = Field(0, ge=0)
    fraction: float = Field(1.0, gt=0, le=1)
    """Share of the training part's lesions, class by class, that is used at all: for studies of little data."""


class CircuitConfig(Section):
    """One sub-generator's ansatz (see `hqgan.circuits.ansatz.Ansatz`)."""

    qubits: int = Field(16, ge=1, le=256)
    layers: int = Field(8, ge=0, le=256)
    encoding: tuple[Literal["rx", "ry", "rz"], ...] = ("ry", "rx")
    rotations: tuple[Literal["rx", "ry", "rz"], ...] = ("ry",)
    entangler: Literal["cz", "cnot", "none"] = "cz"
    readout: tuple[Literal["X", "Y", "Z"], ...] = ("X",)
    """Paulis measured on every qubit."""
    start: float = Field(1.0, ge=0, le=6.3)
    """Weights start uniform in [0, start) radians; 1 in the paper."""
    shots: int = Field(0, ge=0)
    """Measurements whose scatter is added to the readouts in training; 0 for exact readouts (paper)."""


class HybridConfig(Section):
    """The fused generator: encoder, then a classical and a quantum branch, fusion, decoder.

    The defaults are the paper's (arXiv 2506.21015) for 64x64 images.
    """

    kind: Literal["hybrid"] = "hybrid"
    latent: Count = 128
    class_embedding: Count = 32
    """Of the encoder "constant"; "spatial" tells the classes apart in its norm."""
    latent_source: Literal["prototypes", "bounded", "normal"] = "prototypes"
    """prototypes: around a learnt mean of each class (paper). bounded: MosaiQ's adaptive bound. normal: as it is."""
    encoder: Literal["constant", "spatial"] = "constant"
    """constant: the condition repeated over 8x8, then convolutions (paper). spatial: a linear map to the 4x4 sites."""
    encoder_channels: Count = 128
    feature_channels: int = Field(32, ge=2)
    quantum_share: float = Field(0.5, gt=0, lt=1)
    """Share of the feature channels that goes to the quantum branch."""
    circuit: CircuitConfig = CircuitConfig()
    sub_generators: int = Field(5, ge=1, le=16)
    readout: Literal["mean", "full"] = "mean"
    """mean: a sub-generator passes on the average of its readouts (paper). full: every readout is a channel of its site."""
    decoder: Literal["vanilla", "style2", "transposed"] = "vanilla"
    decoder_channels: tuple[Count, ...] = (128, 96, 64)
    """style2: channels at 16, 32 and 64 pixels (three). transposed: at 16 and 32 (two). vanilla: the paper's, fixed."""

    @model_validator(mode="after")
    def _fits(self) -> HybridConfig:
        wanted = {"style2": 3, "transposed": 2}.get(self.decoder)
        if wanted and len(self.decoder_channels) != wanted:
            raise ValueError(
                f"the decoder {self.decoder} takes {wanted} decoder_channels, not {len(self.decoder_channels)}"
            )
        return self


class DcganConfig(Section):
    """The classical control: transposed convolutions with batch norm (arXiv 1511.06434), class embedding in the input."""

    kind: Literal["dcgan"] = "dcgan"
    latent: Count = 64
    class_embedding: Count = 32
    channels: tuple[Count, Count, Count, Count] = (192, 128, 64, 32)
    """Channels at 4, 8, 16 and 32 pixels."""


class CriticConfig(Section):
    """Four stride-2 convolutions and a class-projection score (arXiv 1802.05637)."""

    channels: tuple[Count, Count, Count, Count] = (64, 128, 256, 512)
    class_embedding: Count = 128
    head: Literal["pool", "flat"] = "pool"
    """pool: global average, then linear (paper). flat: linear over the 4x4 map, which sees where things are."""
    bias: bool = False
    """Biases in the convolutions. Without (paper) a score is linear in an image's brightness, unable to bound it."""
    start: Literal["torch", "he"] = "torch"
    """First weights of the convolutions: torch's default (paper), or He's (arXiv 1502.01852), from which it learns sooner."""


class TrainingConfig(Section):
    """How the run learns. Lengths are in kimg: thousands of real images shown to the critic, repeats counted."""

    kimg: float = Field(60, gt=0, le=1e6)
    batch: int = Field(16, ge=2, le=4096)
    seed: int = Field(0, ge=0)
    device: str = "auto"
    loss: Literal["wgan-gp", "hinge", "logistic", "relativistic"] = "relativistic"
    critic_steps: int = Field(1, ge=1, le=100)
    """Critic steps on one real batch for each generator step."""
    gp_weight: Weight = 10.0
    """Gradient penalty of wgan-gp (arXiv 1704.00028)."""
    r1_weight: Weight = 0.1
    """R1 penalty on real images, gamma of arXiv 1801.04406; relativistic adds R2 on generated ones. Not for wgan-gp."""
    r1_every: Count = 8
    """Steps between two R1 penalties, each weighted by this number (lazy regularisation)."""
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ("translation",)
    """Differentiable augmentation of real and generated images alike (arXiv 2006.10738)."""
    dihedral: bool = True
    """Turn and mirror real images: dermatoscopy has no up."""
    balanced: bool = False
    """Draw every class equally often instead of as often as it occurs."""
    lr_generator: Rate = 2e-4
    lr_circuit: Rate = 1e-3
    lr_critic: Rate = 4e-4
    betas_generator: tuple[Beta, Beta] = (0.5, 0.99)
    betas_critic: tuple[Beta, Beta] = (0.5, 0.99)
    prototype_weight: Weight = 5e-3
    ema_half_life_kimg: float = Field(5.0, ge=0)
    """Images after which half of an old weight is forgotten; 0 turns averaging off."""
    log_kimg: float = Field(0.5, gt=0)
    sample_kimg: float = Field(5.0, gt=0)
    evaluate_kimg: float = Field(10.0, gt=0)
    checkpoint_kimg: float = Field(5.0, gt=0)


class Config(Section):
    """Everything that decides a run's result."""

    preset: str
    data: DataConfig = DataConfig()
    generator: Annotated[HybridConfig | DcganConfig, Field(discriminator="kind")]
    critic: CriticConfig = CriticConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _fits(self) -> Config:
        g = self.generator
        if isinstance(g, HybridConfig) and self.data.size != 64 and g.decoder == "vanilla":
            raise ValueError("generator.decoder: the vanilla decoder makes 64x64 images only; set data.size=64")
        return self


# The paper's own settings for ISIC 2019 (its code's command line; see docs/architecture.md).
_PAPER_TRAINING: dict[str, Any] = {
    "batch": 10,
    "loss": "wgan-gp",
    "critic_steps": 3,
    "augment": (),
    "dihedral": False,
    "lr_generator": 1e-4,
    "lr_circuit": 0.3,
    "lr_critic": 2e-4,
    "betas_generator": (0.5, 0.999),
    "betas_critic": (0.0, 0.9),
    "ema_half_life_kimg": 0.0,
}
_SMALL_CRITIC = {"channels": (48, 96, 192, 384), "head": "flat", "bias": True, "start": "he"}

PRESETS: dict[str, dict[str, Any]] = {
    "hqgan": {
        "generator": {
            "kind": "hybrid",
            "latent": 64,
            "latent_source": "normal",
            "encoder": "spatial",
            "encoder_channels": 208,
            "feature_channels": 160,
            "quantum_share": 0.2,
            "circuit": {"qubits": 8, "layers": 4, "readout": ("X", "Z"), "start": 0.2},
            "sub_generators": 16,
            "readout": "full",
            "decoder": "transposed",
            "decoder_channels": (64, 32),
        },
        "critic": _SMALL_CRITIC,
    },
    "paper": {"generator": {"kind": "hybrid"}, "training": _PAPER_TRAINING},
    "dcgan": {"generator": {"kind": "dcgan"}, "critic": _SMALL_CRITIC},
    "demo": {
        "generator": {
            "kind": "hybrid",
            "latent": 64,
            "latent_source": "normal",
            "encoder": "spatial",
            "encoder_channels": 96,
            "feature_channels": 64,
            "quantum_share": 0.25,
            "circuit": {"qubits": 4, "layers": 4, "readout": ("X", "Z"), "start": 0.2},
            "sub_generators": 16,
            "readout": "full",
            "decoder": "transposed",
            "decoder_channels": (48, 24),
        },
        "critic": {"channels": (32, 64, 128, 256), "head": "flat", "bias": True, "start": "he"},
        "training": {
            "lr_generator": 4e-4,
            "kimg": 30.0,
            "ema_half_life_kimg": 2.0,
            "sample_kimg": 3.0,
            "checkpoint_kimg": 3.0,
        },
    },
}


def preset(name: str, changes: dict[str, Any] | None = None) -> Config:
    """The preset `name` with `changes` (dotted field to value) applied.

    Raises:
        UserError: for an unknown preset or field, or a value that does not fit; it names the nearest right one.
    """
    if name not in PRESETS:
        raise UserError(f"There is no preset {name!r}; presets are {listed(sorted(PRESETS))}.")
    values = json.loads(json.dumps({"preset": name, **PRESETS[name]}))
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
        raise UserError(_sentence(error, where)) from error


def read(path: Path) -> Config:
    """Read a config that `write` wrote."""
    try:
        return from_dict(json.loads(path.read_text()), str(path))
    except FileNotFoundError:
        raise UserError(f"There is no config at {path}; is that a run folder?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as JSON ({error}); restore it from a copy of the run.") from error


def write(config: Config, path: Path) -> None:
    """Write the resolved config, every field, as JSON."""
    path.write_text(config.model_dump_json(indent=2) + "\n")


def digest(config: Config) -> str:
    """Twelve hex digits that change when anything that decides the result does (the device does not)."""
    values = config.model_dump(mode="json")
    del values["training"]["device"]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def differences(a: Config, b: Config) -> list[str]:
    """One ``field: a's value, b's value`` for each field that differs, the device aside."""
    left, right = _flat(a.model_dump(mode="json")), _flat(b.model_dump(mode="json"))
    keys = sorted((set(left) | set(right)) - {"training.device"})
    absent = "absent"
    return [f"{k}: {left.get(k, absent)} / {right.get(k, absent)}" for k in keys if left.get(k) != right.get(k)]


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """``["training.batch=16"]`` to ``{"training.batch": 16}``; the value is JSON, or a plain word."""
    changes: dict[str, Any] = {}
    for assignment in assignments:
        field, sign, text = assignment.partition("=")
        if not sign or not field:
            raise UserError(f"--set takes field=value, as in training.batch=16, not {assignment!r}.")
        try:
            changes[field.strip()] = json.loads(text)
        except json.JSONDecodeError:
            changes[field.strip()] = text
    return changes


def fields() -> list[str]:
    """Every dotted field of every kind of config."""
    found = [k for name in PRESETS for k in _flat(preset(name).model_dump(mode="json"))]
    return sorted(set(found))


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


def _sentence(error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    # A discriminated union puts the kind into the location; people write the field without it.
    field = ".".join(str(p) for p in first["loc"] if p not in {"hybrid", "dcgan"})
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, fields(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "; `hqgan train --dry-run` prints every field."
        return f"{where} has no field {field!r}{hint}"
    given = first.get("input")
    shown = "" if isinstance(given, dict) else f" (it is {given!r})"
    message = first["msg"].removeprefix("Value error, ")
    if isinstance(given, float) and not math.isfinite(given):
        message = "must be a finite number"
    return (
        f"{where}: {field or 'value'}: {message[0].lower() + message[1:]}{shown}." if field else f"{where}: {message}."
    )
