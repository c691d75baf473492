"""The runs that a page shows, and the real images nearest to theirs.

Runs are opened once, when the page starts; a request selects one by number, never by path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from hqgan.errors import UserError
from hqgan.evaluation.audit import FLAGGED
from hqgan.evaluation.copying_evidence import Closest, closest, neutral_features
from hqgan.evaluation.real_images import data_of, own_data_path
from hqgan.reporter import SILENT, Reporter
from hqgan.run.folder import stored_config
from hqgan.runtime.devices import resolve_device
from hqgan.sampling.hub import PREFIX
from hqgan.sampling.images import read_dropped
from hqgan.sampling.load import Loaded, load
from hqgan.training import checkpoint
from hqgan.types import ImageData

NOT_FOUND = "The images that this run was trained on were not found; give their path with hqgan serve --data."


@dataclass(frozen=True)
class Near:
    """The nearest training image of a generated one.

    Attributes:
        image: (S, S, 3) uint8, the training image.
        name: its class.
        grey_levels: root mean square difference over pixels and channels, in grey levels from 0 to 255.
        closest: the result of the audit's rule for the pair.
    """

    image: np.ndarray
    name: str
    grey_levels: float
    closest: Closest


@dataclass(frozen=True)
class RealImages:
    """The images that a run was trained on, opened when they are first asked for: the page does not wait for them.

    Attributes:
        open: gives the data set, and the rows of its training part; no other images are shown.
    """

    open: Callable[[], tuple[ImageData, np.ndarray]]

    @cached_property
    def _opened(self) -> tuple[ImageData, np.ndarray]:
        return self.open()

    @property
    def data(self) -> ImageData:
        """The data set."""
        return self._opened[0]

    @property
    def train(self) -> np.ndarray:
        """Rows of its training part."""
        return self._opened[1]

    @cached_property
    def _features(self) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        return neutral_features(self.data)

    def nearest(self, images: np.ndarray) -> list[Near]:
        """The nearest training image of each generated one (N, S, S, 3) uint8. The first call computes all real features."""
        real, features_of = self._features
        spaces = {
            "pixels": (self.data.images.reshape(len(self.data), -1), images.reshape(len(images), -1)),
            "features": (real, features_of(images)),
        }
        found = []
        for image, pair in zip(images, closest(self.data, self.train, images, spaces), strict=True):
            other = np.asarray(self.data.images[pair.row])
            difference = float(np.sqrt(np.square(image.astype(np.float64) - other).mean()))
            found.append(Near(other, self.data.classes[int(self.data.labels[pair.row])], difference, pair))
        return found


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


def open_runs(runs: Sequence[str], data: str | None, hidden: str, reporter: Reporter = SILENT) -> list[Served]:
    """Load every run, and the images that it was trained on if they are available.

    Args:
        runs: as for `hqgan.sampling.load.load`, or folders of runs in training that have no checkpoint yet.
        data: path of the real images; None for the path that each run was trained on.
        hidden: a sentence that says why real images are not shown; empty if they may be shown.
        reporter: receives what is missing, and the progress of decoding, now or when real images are first asked for.

    Raises:
        UserError: a run cannot be loaded, or `data` was given and a run was trained on other data.
    """
    device = str(resolve_device("auto"))
    found: list[Served] = []
    known: dict[tuple[str, ...], RealImages] = {}
    for run in runs:
        path = Path(run)
        if path.is_dir() and stored_config(path) and checkpoint.latest(path / "checkpoints") is None:
            found.append(Served(_name(path), path, None, "It has no checkpoint yet."))
            continue
        loaded = load(run, device, reporter)
        folder = loaded.path.parent.parent
        real = hidden or _real(loaded, data, reporter)
        if isinstance(real, RealImages):  # features of the same images are computed once
            config = loaded.config.data.model_dump_json()
            real = known.setdefault((config, loaded.values["data"]["fingerprint"], str(folder.resolve())), real)
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
    if data is not None:  # the user's own word, which is checked at once
        images, split = data_of(loaded, data, reporter)
        return RealImages(lambda: (images, split.train))
    try:
        own_data_path(loaded)
    except UserError as error:
        reporter.message(f"nearest real images are not shown: {error}")
        return NOT_FOUND

    def open_now() -> tuple[ImageData, np.ndarray]:
        try:
            images, split = data_of(loaded, None, reporter)
        except UserError as error:
            reporter.message(f"nearest real images are not shown: {error}")
            raise UserError(NOT_FOUND) from error
        return images, split.train

    return RealImages(open_now)


def _flagged(loaded: Loaded, folder: Path, reporter: Reporter) -> frozenset[int]:
    path = folder / "audit" / FLAGGED
    if not path.exists():
        return frozenset()
    try:
        return read_dropped(path, loaded.checkpoint_hash)
    except UserError as error:
        reporter.message(f"the run's own audit is not shown: {error}")
        return frozenset()
