"""What `import hqgan` offers: from data to images in a few lines. `hqgan/__init__.py` imports it on first use.

Example:
    >>> import hqgan
    >>> run = hqgan.train("demo:200", "runs/small", preset="demo", kimg=0.1, changes={"data.size": 32})
    >>> model = hqgan.load(run)
    >>> images, labels = model.generate({"fibroma": 4}, seed=1)
    >>> images.shape, str(images.dtype), labels.tolist() == [model.classes.index("fibroma")] * 4
    ((4, 32, 32, 3), 'uint8', True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from hqgan import config as configs
from hqgan.data import absolute, open_data
from hqgan.errors import UserError
from hqgan.evaluation.real_images import data_of
from hqgan.reporter import SILENT, PrintReporter, Reporter, Terminal
from hqgan.run import train as runs
from hqgan.runtime.devices import resolve_device
from hqgan.sampling import generate as generation
from hqgan.sampling import load as trained
from hqgan.sampling.dataset import AugmentedImages
from hqgan.sampling.images import check_held, images_of, numbered
from hqgan.types import ImageData, Split
from hqgan.wording import listed, plural

__all__ = ["Model", "PrintReporter", "Reporter", "UserError", "load", "open_data", "train"]


def train(
    data: str | Path,
    out: str | Path,
    *,
    preset: str = "hqgan",
    kimg: float | None = None,
    seed: int = 0,
    device: str = "auto",
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    verbose: bool | Reporter = True,
) -> Path:
    """Train a generator, as `hqgan train` does.

    Args:
        data: a data set's folder, or ``demo`` for procedural lesions.
        out: the run's folder; new or empty, unless `resume`.
        preset: see `hqgan presets`.
        kimg: thousands of real images to show the critic; None for the preset's.
        seed: of weights, noise and data order. The split's is ``changes={"data.seed": ...}``.
        device: ``auto``, ``cpu``, ``cuda`` ...
        changes: any other field of the config, dotted name to value: ``{"generator.circuit.layers": 8}``.
        resume: go on from the newest checkpoint in `out`.
        verbose: whether to show messages and a progress bar, in a notebook too; or a `Reporter` that receives them.

    Returns:
        The run's folder, for `load`.

    Raises:
        UserError: bad input, in one sentence.
    """
    given = {"data.path": absolute(data), "training.seed": seed, "training.device": device}
    if kimg is not None:
        given["training.kimg"] = kimg
    config = configs.preset(preset, {**given, **(changes or {})})
    with Terminal() as terminal:
        reporter = verbose if isinstance(verbose, Reporter) else terminal if verbose else SILENT
        return runs.train(config, Path(out).expanduser(), resume=resume, reporter=reporter)


def load(run: str | Path, device: str = "cpu") -> Model:
    """A trained model from a run's folder, a checkpoint's ``.json``, or ``hf:owner/name`` on the Hugging Face hub.

    Raises:
        UserError: there is none, or it is damaged.
    """
    return Model(trained.load(run, str(resolve_device(device)), PrintReporter()))


@dataclass(frozen=True)
class Model:
    """A trained generator.

    Attributes:
        loaded: its network, config and checkpoint.
    """

    loaded: trained.Loaded

    def __repr__(self) -> str:
        config, images = self.loaded.config, self.loaded.values["images"]
        size, count = config.data.size, sum(p.numel() for p in self.loaded.generator.parameters())
        return (
            f"<hqgan.Model: preset {config.preset}, {plural(len(self.classes), 'class')}, {size} x {size} pixels, "
            f"{images / 1000:g} kimg, {count:,} parameters>"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names; a label is an index into them."""
        return self.loaded.classes

    def generate(self, counts: int | Mapping[str, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Images and their labels; the same seed gives the same images.

        Args:
            counts: images of every class, or by class name.
            seed: of the noise.

        Returns:
            (N, S, S, 3) uint8, and (N,) int64; class by class in the order of `classes`.

        Raises:
            UserError: nothing asked for, a class that there is not, or more images than there is memory for.
        """
        wanted = self._counts(counts)
        check_held(self.loaded, wanted)
        labels, images = images_of(self.loaded, numbered(self.classes, wanted, seed))
        return np.stack(list(images)), labels

    def save(self, counts: int | Mapping[str, int], out: str | Path, seed: int = 0) -> Path:
        """The same images as PNG folders by class, with manifest, contact sheet and model card, as `hqgan generate` does.

        Returns:
            The manifest's path.

        Raises:
            UserError: as `generate`, or `out` holds something else.
        """
        return generation.generate(self.loaded, self._counts(counts), Path(out).expanduser(), seed)

    def data(self, path: str | Path | None = None) -> tuple[ImageData, Split]:
        """What it was trained on, and the split.

        Args:
            path: where that lies now; None for where it lay. A model from the hub does not know where.

        Raises:
            UserError: it is not there, or no longer the same.
        """
        return data_of(self.loaded, None if path is None else str(path))

    def augmented(
        self,
        data: ImageData,
        rows: np.ndarray,
        counts: Mapping[str, int] | None = None,
        *,
        seed: int = 0,
        transform: Callable[[Image], Any] | None = None,
    ) -> AugmentedImages:
        """A torch data set of these real images and generated ones; see `hqgan.sampling.dataset.AugmentedImages`.

        Args:
            data: the real images.
            rows: which of them, usually the training part of a split.
            counts: generated images by class name; None fills every class up to the largest.
            seed: of the generated images.
            transform: from a PIL image to what an item holds; None for a float32 tensor (3, S, S) in [0, 1].
        """
        return AugmentedImages(data, rows, self.loaded, counts, seed=seed, transform=transform)

    def _counts(self, counts: int | Mapping[str, int]) -> dict[str, int]:
        if not isinstance(counts, Mapping):
            counts = dict.fromkeys(self.classes, counts)
        if odd := [name for name in counts if name not in self.classes]:
            raise UserError(f"There is no class {odd[0]!r} in this model; its classes are {listed(self.classes)}.")
        try:
            wanted = {name: index(n) for name, n in counts.items() if n > 0}
        except TypeError as error:
            raise UserError(f"Images are counted in whole numbers, not {counts!r}.") from error
        if not wanted:
            raise UserError("Nothing to generate: ask for a number of images above 0.")
        return wanted
