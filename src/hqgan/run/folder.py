"""A run's folder: its contents, whether a run may start or resume in it, and its lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hqgan import config as configs
from hqgan.config import Config
from hqgan.errors import UserError
from hqgan.io.files import others, sweep, write_atomically
from hqgan.io.lock import LOCK, exclusive
from hqgan.metrics.record import MetricRow, rows_from_json
from hqgan.run.log import read_lines
from hqgan.run.privacy import SECRET
from hqgan.runtime.processes import LAUNCH, launch, was_restarted
from hqgan.training import checkpoint
from hqgan.training.distributed import Processes
from hqgan.training.length import images_per_step, steps_of

FILES = ("config.json", "split.json", "run.json", "metrics.jsonl", "timing.jsonl", SECRET)
"""Files that training writes in a run's folder."""


@contextmanager
def held(
    config: Config, out: Path, resume: bool, processes: Processes, allow_change: bool = False
) -> Iterator[dict[str, list[Any]]]:
    """Check a run's folder, and lock it while this is open; the first process does both for all.

    Yields:
        What is changed, see `check_folder`; in the first process only.

    Raises:
        UserError: see `check_folder`; or another process writes to it.
    """
    with ExitStack() as stack:

        def take() -> None:
            if not was_restarted() and (out / LAUNCH).exists():
                with exclusive(out):  # left by a launch that was stopped; its name may be this one's
                    (out / LAUNCH).unlink(missing_ok=True)
            check_folder(config, out, resume, allow_change)
            stack.enter_context(exclusive(out))
            changed.update(check_folder(config, out, resume, allow_change))  # now that nobody else can change it
            if launch():
                write_atomically(out / LAUNCH, launch().encode())

        changed: dict[str, list[Any]] = {}
        processes.first_alone(take)
        yield changed
        if processes.first:
            (out / LAUNCH).unlink(missing_ok=True)


CHANGEABLE = ("training.batch", "training.lr_generator", "training.lr_critic", "training.lr_circuit")
"""Fields that a resumed run may change where that is allowed."""


def check_folder(config: Config, out: Path, resume: bool, allow_change: bool = False) -> dict[str, list[Any]]:
    """Check whether a run of `config` may start or resume in `out`.

    Returns:
        Old and new value of each of `CHANGEABLE` that is changed, where `allow_change` allows it.

    Raises:
        UserError: `out` is a file, holds other files, holds no run to resume, or one that is not to be resumed or has another
            config.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another `out`.")
    before = stored_config(out)
    if before is None:
        if others(out, "log.txt", LOCK, LAUNCH, "config.json"):
            raise UserError(f"{out} holds files that are not a run's; choose another `out`.")
        if resume and not (out / LOCK).exists():  # which a run has that was killed before its config was written
            raise no_run(out)
        return {}
    if not resume:
        raise UserError(f"{out} holds a run already; go on with it by `resume`, or choose another `out`.")
    if before.private and config.training.kimg > before.training.kimg:
        raise UserError(
            f"The noise of the private run in {out} was planned for {before.training.kimg:g} kimg, and more would spend more "
            "than its epsilon; leave `kimg` away, or start in another `out`."
        )
    # Data may have been moved; that they are the same is seen by their fingerprint.
    same: dict[str, Any] = {
        "training.kimg": max(before.training.kimg, config.training.kimg),
        "data.path": config.data.path,
    }
    old, new = configs.values_of(before, CHANGEABLE), configs.values_of(config, CHANGEABLE)
    found = {name: [old[name], new[name]] for name in CHANGEABLE if old[name] != new[name]}
    if allow_change and before.private and found:
        raise UserError(
            f"The noise of the private run in {out} was planned for its own batch and rates; leave them away."
        )
    if allow_change:
        same |= {name: new for name, (_, new) in found.items()}
    longer = configs.replace(before, same)
    if changed := configs.differences(longer, config):
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        raise UserError(
            f"`resume` needs the config that {out} was started with; theirs / yours differ in {'; '.join(changed[:2])}{more}. "
            "Leave the options away to go on with theirs"
            + (", or change them with `allow_change`." if len(changed) == len(found) else ".")
        )
    return found if allow_change else {}


def no_run(out: Path) -> UserError:
    """The error of resuming where there is no run."""
    return UserError(
        f"There is no run in {out}: name the folder of one, or leave `resume` away to start a new one there."
    )


def forget_refused(out: Path) -> None:
    """Remove what a run wrote that was refused before its first step, so that a corrected command finds the folder as it was."""
    if not (out / "run.json").exists():
        for name in FILES:
            (out / name).unlink(missing_ok=True)


def remove_half_written(out: Path) -> None:
    """Remove what killed processes left half written in a run's folder."""
    sweep(out, "checkpoints/.*.part", "samples/.*.part", *(f".{name}.*.part" for name in FILES))


def images_of(config: Config) -> int:
    """Real images, repeats counted, that a finished run of this config has shown to the critic."""
    return steps_of(config.training.kimg, config.training) * images_per_step(config.training)


def is_finished(config: Config, out: Path) -> bool:
    """Whether `out` holds a run of `config`, wherever its data lay and whatever device it used, with all images shown.

    That its data are the same is not looked at.

    Raises:
        UserError: it holds a run of another config.
    """
    stored = stored_config(out)
    if stored is None:
        return False
    if changed := configs.differences(stored, configs.replace(config, {"data.path": stored.data.path})):
        theirs = "; ".join(changed[:2])
        raise UserError(
            f"{out} was trained with other settings (theirs / yours: {theirs}); choose another `out`, or the same settings."
        )
    newest = checkpoint.latest(out / "checkpoints")
    return newest is not None and checkpoint.read_values(newest)["images"] >= images_of(config)


def stored_config(out: Path) -> Config | None:
    """The config of the run in `out`, or None where there is no run."""
    return configs.read(out / "config.json") if (out / "config.json").exists() else None


def last_evaluation(run: Path) -> list[MetricRow]:
    """The rows of the newest evaluation in a run's metrics, for its model card; empty where there is none."""
    lines = read_lines(run / "metrics.jsonl")
    return rows_from_json(next((line["rows"] for line in reversed(lines) if line["kind"] == "evaluate"), []))


def last_checkpoint_text(out: Path) -> str:
    """Where the newest checkpoint is, for an error message."""
    last = checkpoint.latest(out / "checkpoints")
    return f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
