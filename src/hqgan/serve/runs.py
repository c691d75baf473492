"""The runs that a page shows. They are opened once, when it starts; a request selects one by number, never by path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hqgan.errors import UserError
from hqgan.evaluation.audit import FLAGGED
from hqgan.evaluation.real_images import data_of
from hqgan.reporter import SILENT, Reporter
from hqgan.run.folder import stored_config
from hqgan.runtime.devices import resolve_device
from hqgan.sampling.hub import PREFIX
from hqgan.sampling.images import read_dropped
from hqgan.sampling.load import Loaded, load
from hqgan.serve.real import RealImages
from hqgan.training import checkpoint


@dataclass(frozen=True)
class Served:
    """A run on the page.

    Attributes:
        name: its name on the page, unique.
        folder: the folder of the run.
        loaded: its generator; None if there was no checkpoint yet.
        real: the images that it was trained on, or a sentence that says why they are not shown.
        flagged: latent seeds of the images that the run's audit flagged.
    """

    name: str
    folder: Path
    loaded: Loaded | None
    real: RealImages | str
    flagged: frozenset[int] = frozenset()

    def generator(self) -> Loaded:
        """The generator of the run; UserError if it has no checkpoint yet."""
        if self.loaded is None:
            raise UserError(
                f"{self.name} has no checkpoint yet. See Training for its curves, and restart the page once it has a checkpoint."
            )
        return self.loaded


def open_runs(
    runs: Sequence[str],
    data: str | None,
    hidden: str,
    reporter: Reporter = SILENT,
) -> list[Served]:
    """Load every run, and the images that it was trained on if they are available.

    Args:
        runs: as for `hqgan.sampling.load.load`, or folders of runs in training that have no checkpoint yet.
        data: path of the real images; None for the path that each run was trained on.
        hidden: a sentence that says why real images are not shown; empty if they may be shown.
        reporter: receives what is missing, and the progress of decoding.

    Raises:
        UserError: a run cannot be loaded, or `data` was given and a run was trained on other data.
    """
    device = str(resolve_device("auto"))
    found: list[Served] = []
    known: dict[tuple[str, bytes], RealImages] = {}
    for run in runs:
        path = Path(run)
        if path.is_dir() and stored_config(path) and checkpoint.latest(path / "checkpoints") is None:
            found.append(Served(_name(path), path, None, "It has no checkpoint yet."))
            continue
        loaded = load(run, device, reporter)
        folder = loaded.path.parent.parent
        real = hidden or _real(loaded, data, reporter)
        if isinstance(real, RealImages):  # features of the same images are computed once
            real = known.setdefault((real.data.fingerprint, real.train.tobytes()), real)
        name = run if run.startswith(PREFIX) else _name(folder)
        found.append(Served(name, folder, loaded, real, _flagged(loaded, folder, reporter)))
    counts = Counter(served.name for served in found)
    return [
        served if counts[served.name] == 1 else replace(served, name=f"{served.name} ({i + 1})")
        for i, served in enumerate(found)
    ]


def _name(folder: Path) -> str:
    return folder.resolve().name[:60] or "run"


def _real(loaded: Loaded, data: str | None, reporter: Reporter) -> RealImages | str:
    if loaded.config.private:
        if data is not None:
            reporter.message(f"{loaded.path.parent.parent} is a private run: {data} is not opened for it")
        return "This run was trained privately: no real images are shown beside its own."
    try:
        images, split = data_of(loaded, data, reporter)
    except UserError as error:
        if data is not None:
            raise
        reporter.message(f"nearest real images are not shown: {error}")
        return "The images that this run was trained on were not found; give their path with hqgan serve --data."
    return RealImages(images, split.train)


def _flagged(loaded: Loaded, folder: Path, reporter: Reporter) -> frozenset[int]:
    path = folder / "audit" / FLAGGED
    if not path.exists():
        return frozenset()
    try:
        return read_dropped(path, loaded.checkpoint_hash)
    except UserError as error:
        reporter.message(f"the run's own audit is not shown: {error}")
        return frozenset()
