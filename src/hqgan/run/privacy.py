"""Private training of a run: its secret, its plan, its samples of lesions, and what is refused (docs/privacy.md)."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.config import Config
from hqgan.data import augment_dihedral, dihedral_ways
from hqgan.data.sampling import PoissonSampler
from hqgan.errors import UserError
from hqgan.io.images import to_float
from hqgan.run.log import read_run
from hqgan.training import checkpoint
from hqgan.training.accountant import Plan, plan
from hqgan.training.dp_step import Private
from hqgan.training.length import steps_of
from hqgan.training.state import dtype_of, layout
from hqgan.types import Batch, ImageData, Split
from hqgan.wording import at_most, plural

SECRET = "private-seed"
"""File in a run's folder. With it the noise could be removed from what was trained: it is never published."""


def start_private(config: Config, out: Path, data: ImageData, split: Split, device: torch.device) -> Private:
    """Draw the secret and plan the noise, or read those of the run in `out` that is resumed.

    Raises:
        UserError: the guarantee would not hold: images without a lesion, too few lesions, a delta that lets one be published, a
            lost secret, other images than before; or opacus is absent.
    """
    groups = data.group_of[split.train]
    lesions = len(np.unique(groups))
    _check(config, data, split, lesions)
    before = _planned_before(out)
    secret = _secret(out / SECRET, _digest(data, groups, split), started=before is not None)
    planned = _plan(config, lesions) if before is None else before
    sampler = PoissonSampler(groups, config.training.batch)
    if (sampler.lesions, sampler.rate) != (planned.lesions, planned.sampling_rate):
        raise UserError(f"{out} was planned for other samples of lesions; restore its data, or start in another `out`.")
    training = config.training

    def sample(critic_step: int) -> Batch:
        rng = np.random.default_rng([secret, critic_step])
        rows = split.train[sampler.sample(rng)]
        images = data.images[rows]
        if training.dihedral:
            images = augment_dihedral(images, dihedral_ways(len(rows), rng))
        floats = to_float(images).to(device, dtype_of(training), memory_format=layout(training))
        return Batch(floats, torch.from_numpy(data.labels[rows]).to(device))

    return Private(planned, len(data.classes), sample, secret)


def facts(private: Private, steps: int) -> dict[str, Any]:
    """Privacy facts for a checkpoint: the plan, the critic steps done, and the epsilon that they spent."""
    return {**asdict(private.plan), "done": steps, "spent": private.plan.spent(steps)}


def sentence(spent: float, planned: Plan) -> str:
    """A sentence on the privacy of a finished run."""
    return (
        f"privacy spent: epsilon {at_most(spent)} at delta {planned.delta:g} for any one of {planned.lesions:,} lesions; publish "
        f"only what docs/privacy.md lists, never {SECRET} or split.json"
    )


def _check(config: Config, data: ImageData, split: Split, lesions: int) -> None:
    privacy, batch = config.privacy, config.training.batch
    # Also of those that are grouped as near-duplicates of others: which are is itself private.
    if data.ungrouped is not None and (unknown := int(data.ungrouped[split.train].sum())):
        raise UserError(
            f"{config.data.path} has {plural(unknown, 'image')} in its training part of which no lesion or patient is known: an "
            "image is no unit that private training can protect; leave them out, or train without `privacy.epsilon`."
        )
    if batch >= lesions:
        raise UserError(
            f"Of {lesions:,} lesions in the training part of {config.data.path} no samples of {batch:,} can be drawn; take a "
            "smaller `training.batch`, or more data."
        )
    if privacy.delta >= 1 / lesions:
        raise UserError(
            f"A delta of {privacy.delta:g} allows one of {lesions:,} lesions to be revealed whole; take a `privacy.delta` below "
            f"{0.5 / lesions:.1g}."
        )


def _plan(config: Config, lesions: int) -> Plan:
    training, privacy = config.training, config.privacy
    assert privacy.epsilon is not None
    steps = steps_of(training.kimg, training) * training.critic_steps
    return plan(privacy.epsilon, privacy.delta, privacy.clip, lesions, training.batch, steps)


def _planned_before(out: Path) -> Plan | None:
    """The plan of the run in `out`, from its newest checkpoint or its run.json; None where no step was taken yet."""
    newest = checkpoint.latest(out / "checkpoints")
    path = newest or out / "run.json"
    found = checkpoint.read_values(newest).get("privacy") if newest else read_run(out).get("privacy")
    if found is None:
        return None
    try:
        return Plan(**{field.name: found[field.name] for field in fields(Plan)})
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged: it does not hold the plan of a private run; start in another `out`."
        ) from error


def _digest(data: ImageData, groups: np.ndarray, split: Split) -> str:
    """What noise belongs to: images, labels, and which lesions of them are sampled."""
    digest = hashlib.sha256(data.fingerprint.encode())
    digest.update(split.train.astype("<i8").tobytes())
    digest.update(groups.astype("<i4").tobytes())
    return digest.hexdigest()


def _secret(path: Path, drawn_for: str, started: bool) -> int:
    """256 bits of the system's randomness, drawn once and readable by their owner alone, for these images and lesions.

    The same noise on gradients of others would tell by its absence what has changed.
    """
    if not path.exists():
        if started:
            raise UserError(
                f"{path} is gone, without which no further step has the noise that was planned; start in another `out`."
            )
        half = path.with_name(f".{SECRET}.{os.getpid()}.part")
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_hex(32)}\n{drawn_for}\n")
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    drawn, *belongs_to = path.read_bytes().decode("ascii", "replace").split() or [""]
    if len(drawn) != 64 or set(drawn) - set("0123456789abcdef") or len(belongs_to) != 1:
        raise UserError(f"{path} is damaged: restore it from a copy, or start in another `out`.")
    if belongs_to != [drawn_for]:
        raise UserError(
            f"The images or their lesions have changed since {path} was written; restore them, or start in another `out`."
        )
    return int(drawn, 16)
