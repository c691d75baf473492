"""Loads a trained generator from a checkpoint, which need not be trusted; and moves its circuits to another backend."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import BaseModel, Field, StrictFloat, StrictInt, StrictStr, ValidationError, model_validator

from hqgan import config as configs
from hqgan.circuits.backends.registry import Watched
from hqgan.config import Config
from hqgan.data import split_hash
from hqgan.errors import UserError
from hqgan.io.files import unfit_class
from hqgan.models.base import Generator
from hqgan.models.build import build_generator
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling import hub
from hqgan.training import checkpoint
from hqgan.types import Backend, ImageData, Split


@dataclass(frozen=True)
class Loaded:
    """A trained generator (its moving average) and the facts in its checkpoint.

    Attributes:
        path: the checkpoint's JSON.
        checkpoint_hash: SHA-256 of the checkpoint's tensors file.
        values: the checkpoint's JSON: images shown, classes, data, licence.
        backend: what runs the circuits, in words.
        truncation: factor that the noise of its images is multiplied by; below 1 they are more typical and less varied.
    """

    generator: Generator
    config: Config
    classes: tuple[str, ...]
    path: Path
    checkpoint_hash: str
    values: dict[str, Any]
    backend: str = "statevector"
    truncation: float = 1.0


Number = Annotated[StrictInt, Field(ge=0)]


class DataFacts(BaseModel):
    """Of the data that a generator was trained on."""

    name: StrictStr
    licence: StrictStr
    fingerprint: StrictStr
    training_images: list[Number]


class PrivacyFacts(BaseModel):
    """Privacy facts of a private run, as written by `hqgan.run.privacy.facts`."""

    spent: StrictFloat
    delta: StrictFloat
    clip: StrictFloat
    noise_multiplier: StrictFloat
    sampling_rate: StrictFloat
    done: Number
    lesions: Number


class Facts(BaseModel):
    """The fields that a checkpoint's JSON needs for its generator to be used."""

    config: dict[str, Any]
    classes: tuple[StrictStr, ...] = Field(min_length=2, max_length=10_000)
    images: Number
    step: Number
    data: DataFacts
    split_sha256: StrictStr | None = None
    privacy: PrivacyFacts | None = None

    @model_validator(mode="after")
    def _one_count_a_class(self) -> Self:
        counts = 0 if self.privacy else len(self.classes)  # a private run tells none
        if len(self.data.training_images) != counts or len(set(self.classes)) != len(self.classes):
            raise ValueError("the classes do not fit the counts of their images, or one is named twice")
        return self


def facts_of(values: Mapping[str, Any], path: Path) -> Facts:
    """The facts in a checkpoint's JSON.

    Raises:
        UserError: one is missing or of another kind.
    """
    try:
        return Facts.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"The checkpoint {path} is no trained generator's (field {field!r}: {first['msg']})."
        ) from error


def check_split(split: Split, data: ImageData, values: Mapping[str, Any], run: Path) -> None:
    """Refuse a split other than the one that a run was trained on.

    Args:
        split: of `data`.
        data: what the run was trained on.
        values: of a checkpoint of the run, or its run.json. A private one knows no split; an older one knows how many images of
            each class were trained on.
        run: for the sentence.

    Raises:
        UserError: it is another.
    """
    known, facts = values.get("split_sha256"), values.get("data")
    counts = facts.get("training_images") if isinstance(facts, dict) else None
    own = np.bincount(data.labels[split.train], minlength=len(data.classes)).tolist()
    if known not in (None, split_hash(split, len(data))) or (counts and counts != own):
        raise UserError(
            f"{run} was trained on another split than the one in its split.json, which has changed since or is gone: restore "
            "that file, or start a new run."
        )


def load(run: str | Path, device: str = "cpu", reporter: Reporter = SILENT) -> Loaded:
    """Load the newest checkpoint of a run folder, or the checkpoint whose JSON is named, or ``hf:owner/name`` from the hub.

    Args:
        run: where it is.
        device: where the generator is put.
        reporter: receives a message about a download before it begins.

    Raises:
        UserError: no run there, no checkpoint yet, or a damaged one.
    """
    path = (
        hub.pull(str(run)[len(hub.PREFIX) :], reporter=reporter)
        if str(run).startswith(hub.PREFIX)
        else Path(run).expanduser()
    )
    if not path.exists():
        raise UserError(f"There is no run at {path}; one on the Hugging Face hub is {hub.PREFIX}owner/name.")
    if path.is_dir():
        newest = checkpoint.latest(path / "checkpoints")
        if newest is None:
            raise UserError(
                f"{path} holds no checkpoint (checkpoints/*.json): is it a run folder, trained for a while?"
            )
        path = newest
    elif path.suffix != ".json" or path.name in ("config.json", "run.json", "split.json"):
        raise UserError(f"{path} is not a checkpoint: name the run's folder, or a checkpoint's .json.")
    values = checkpoint.read_values(path)
    facts = facts_of(values, path)
    if (unfit := unfit_class(facts.classes)) is not None:
        raise UserError(
            f"The checkpoint {path} has a class {unfit[:80]!r}, which no folder can be called: it is not used."
        )
    config, classes = configs.from_dict(facts.config, str(path)), facts.classes
    _check_fits(config, classes, values["tensors"], path)
    tensors, _ = checkpoint.read(path, "ema/")
    generator = build_generator(config, len(classes))
    generator.load_state_dict(tensors)
    generator.eval().requires_grad_(False).to(device)
    return Loaded(generator, config, classes, path, values["sha256"], values)


def _check_fits(config: Config, classes: Sequence[str], tensors: Mapping[str, Any], path: Path) -> None:
    """Refuse tensors that are not those of the config's generator, before there is memory for either.

    Raises:
        UserError: a tensor is missing, is of another shape or type, or is none of the generator's.
    """
    try:
        with torch.device("meta"):
            generator = build_generator(config, len(classes))
    except Exception as error:
        # Every number in a config is in its bounds, but a stranger's may not go together.
        raise UserError(
            f"The config in the checkpoint {path} makes no generator ({type(error).__name__}: {error})."
        ) from error
    own = {name: [str(x.dtype).removeprefix("torch."), list(x.shape)] for name, x in generator.state_dict().items()}
    theirs = {name.removeprefix("ema/"): spec for name, spec in tensors.items() if name.startswith("ema/")}
    if wrong := [name for name in sorted(own.keys() | theirs.keys()) if own.get(name) != theirs.get(name)]:
        has, wants = theirs.get(wrong[0], "not there"), own.get(wrong[0], "not there")
        raise UserError(
            f"The checkpoint {path} does not fit its own config (tensor {wrong[0][:80]!r} is {str(has)[:80]}, should be {wants})."
        )


def on_backend(loaded: Loaded, backend: Backend, name: str) -> Loaded:
    """The same generator with its circuits on another backend, `name` in words, whose deviation is watched.

    Raises:
        UserError: the generator has no circuits.
    """
    generator = copy.deepcopy(loaded.generator)
    if not generator.circuits:
        raise UserError(
            f"A run of preset {loaded.config.preset} has no circuits to run on {name}; leave `backend` away."
        )
    watched = Watched(backend)
    for circuit in generator.circuits:
        circuit.backend = watched
    return replace(loaded, generator=generator, backend=name)
