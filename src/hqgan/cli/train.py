"""`hqgan train`: train a generator."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hqgan.cli import options
from hqgan.cli.options import ADVANCED, MODEL, OUTPUT, Lists, option, seed_of
from hqgan.errors import UserError
from hqgan.reporter import Terminal
from hqgan.runtime.processes import current_shard, is_same_launch

if TYPE_CHECKING:
    from hqgan.config import Config

app = typer.Typer()

PRESET_HELP = "Preset to start from; `hqgan presets` lists them. (default: hqgan, or private with --dp-epsilon)"
RATE_HELP = (
    "Learning rate of the generator. The critic's rate keeps its ratio to it; the circuits' rate stays. "
    "(default: the preset's)"
)
EPSILON_HELP = "Train with differential privacy by lesion, within this epsilon (docs/privacy.md)."
ALLOW_HELP = (
    "Let --resume go on with another batch size or other learning rates; run.json tells the old and the new values."
)
DELTA_HELP = "The delta that belongs to --dp-epsilon. (default: 1e-5)"


@app.command(cls=Lists)
def train(
    out: Annotated[Path, option(OUTPUT, "Folder of the run.")],
    data: options.Data = None,
    size: options.Size = None,
    classes: options.Classes = None,
    merge: options.Merge = None,
    protocol: options.Protocol = None,
    label: options.Label = None,
    table: options.Table = None,
    image_column: options.ImageColumn = None,
    label_column: options.LabelColumn = None,
    group_column: options.GroupColumn = None,
    groups: options.Groups = None,
    preset: Annotated[str | None, option(MODEL, PRESET_HELP, autocompletion=options.preset_names)] = None,
    kimg: options.Kimg = None,
    batch: options.Batch = None,
    lr: Annotated[float | None, option(MODEL, RATE_HELP)] = None,
    seed: Annotated[int | None, seed_of("weights, noise and data order")] = None,
    dp_epsilon: Annotated[float | None, option(ADVANCED, EPSILON_HELP)] = None,
    dp_delta: Annotated[float | None, option(ADVANCED, DELTA_HELP)] = None,
    device: options.Device = None,
    set_: options.Set = None,
    resume: Annotated[bool, option(OUTPUT, "Continue from the newest checkpoint in --out.", "--resume")] = False,
    allow_change: Annotated[bool, option(ADVANCED, ALLOW_HELP, "--allow-change")] = False,
) -> None:
    """Train a generator. Ctrl-C saves a checkpoint, and --resume continues from it."""
    from hqgan import config as configs
    from hqgan.run.folder import stored_config

    data = options.folder_of(data, table)
    selected = options.selection_fields(
        classes, merge, protocol, label, table, image_column, label_column, group_column, groups
    )
    assigned = configs.parse_assignments(set_ or [])
    place = assigned.get("data.path", data)
    if selected and resume and place is None and (stored := stored_config(out)):
        place = stored.data.path
    changes = options.given_fields(
        data__path=data, data__size=size, training__kimg=kimg, training__batch=batch, training__seed=seed,
        training__device=device, privacy__epsilon=dp_epsilon, privacy__delta=dp_delta,
    ) | options.with_class_names(selected, place)  # fmt: skip
    config = run_config(out, preset, changes | assigned, resume, lr)
    if dp_delta is not None and not config.private:
        raise UserError("--dp-delta alone makes nothing private; give --dp-epsilon with it.")
    if allow_change and not resume:
        raise UserError("--allow-change is for --resume: a new run takes its settings from the options.")
    train_run(config, out, resume, allow_change)


def run_config(out: Path, preset: str | None, changes: dict[str, Any], resume: bool, lr: float | None = None) -> Config:
    """The config of a run: a preset's with changes; when resuming without naming a preset, the run's own with changes.

    Args:
        out: folder of the run.
        preset: name of a preset; None takes hqgan, or private where the changes have an epsilon.
        changes: dotted field to value; they win over `lr`.
        resume: whether the run is resumed.
        lr: learning rate of the generator, to which the critic's keeps its ratio.

    Raises:
        UserError: there is no run to resume.
    """
    from hqgan import config as configs
    from hqgan.data import absolute
    from hqgan.run.folder import no_run, stored_config

    stored = stored_config(out) if resume or is_same_launch(out) else None
    if resume and stored is None and not is_same_launch(out):
        raise no_run(out)
    kept = stored if preset is None else None
    name = preset or ("private" if changes.get("privacy.epsilon") else "hqgan")
    if lr is not None:
        training = (kept or configs.preset(name)).training
        changes = {
            "training.lr_generator": lr,
            "training.lr_critic": lr * training.lr_critic / training.lr_generator,
        } | changes
    config = configs.replace(kept, changes) if kept else configs.preset(name, changes)
    return configs.replace(config, {"data.path": absolute(config.data.path)}) if "data.path" in changes else config


def train_run(config: Config, out: Path, resume: bool, allow_change: bool = False) -> None:
    """Train, and say where the run is; when stopped, say how to continue."""
    from hqgan.run import train as run
    from hqgan.training.loop import Interrupted

    with Terminal() as reporter:
        try:
            run.train(config, out, resume=resume, allow_change=allow_change, reporter=reporter)
        except Interrupted:
            if current_shard().rank == 0:
                print(f"Stopped and saved. Continue with: hqgan train --out {out} --resume", file=sys.stderr)
            raise typer.Exit(130) from None
    if current_shard().rank == 0:
        print(f"The run is in {out}: samples/ has its images over time, metrics.jsonl its numbers.")
