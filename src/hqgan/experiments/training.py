"""Training of one generator of an experiment on the training part of a seed's split."""

from __future__ import annotations

from pathlib import Path

from hqgan.config import Config
from hqgan.experiments.splits import check_run
from hqgan.reporter import Reporter
from hqgan.run import train as runs
from hqgan.run.folder import is_finished
from hqgan.types import ImageData, Split


def train_on_split(
    config: Config,
    path: Path,
    data: ImageData,
    split: Split,
    title: str,
    reporter: Reporter,
) -> None:
    """Train a run, or continue it, unless it is finished; then check that it has seen this training part only.

    Args:
        config: of the run.
        path: its folder.
        data: the data set.
        split: the split of its seed.
        title: what to report when training starts.
        reporter: receives messages and progress.

    Raises:
        UserError: the folder holds a run of another config, other data or another split.
    """
    if not is_finished(config, path):
        reporter.message(title)
        runs.train(config, path, resume=True, reporter=reporter, alone=True)
    check_run(path, data, split)
