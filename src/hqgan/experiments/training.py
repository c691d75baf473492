"""Training of one generator of an experiment on the training part of a seed's split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hqgan.config import Config
from hqgan.experiments.splits import check_run
from hqgan.run import train as runs
from hqgan.training.state import State
from hqgan.types import ImageData, Split


def train_on_split(
    config: Config,
    path: Path,
    data: ImageData,
    split: Split,
    title: str,
    say: Callable[[str], None],
    on_step: Callable[[State, int], None],
) -> None:
    """Train a run, or continue it, unless it is finished; then check that it has seen this training part only.

    Args:
        config: of the run.
        path: its folder.
        data: the data set.
        split: the split of its seed.
        title: what to report when training starts.
        say: told what goes on.
        on_step: training progress.

    Raises:
        UserError: the folder holds a run of another config, other data or another split.
    """
    if not runs.is_finished(config, path):
        say(title)
        runs.train(config, path, resume=True, say=say, on_step=on_step, alone=True)
    check_run(path, data, split)
