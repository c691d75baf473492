"""Computes what the page shows for a request: values are checked, images computed, and HTML returned. There is no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan.errors import UserError
from hqgan.io.templates import template
from hqgan.report.blocks import Picture
from hqgan.report.run_sections import curves as charts
from hqgan.run.log import read_lines
from hqgan.sampling.images import latent_seed
from hqgan.sampling.load import Loaded
from hqgan.serve import limits
from hqgan.serve.images import BACKENDS, archive, between, drawing, image_on, images, noise, readouts
from hqgan.serve.runs import RealImages, Served

IMAGES, BETWEEN, NEAREST, CIRCUIT, RUNS, TRAINING = VIEWS = (
    "Images", "Between two", "Nearest real", "Circuit", "Two runs", "Training",
)  # fmt: skip
PATIENTS = "The right image of each pair shows a real patient: the licence of the data decides who may see it."
PROCEDURAL = (
    "The right image of each pair is a training image. This data set is procedural, so it shows no real person."
)

html: Any = template(Path(__file__).with_name("views.html")).module
"""Parts of the page, each a function of the values that it shows."""


@dataclass(frozen=True)
class ImageRequest:
    """The images that a request selects; all values are within bounds."""

    served: Served
    name: str
    seed: int
    truncation: float
    count: int

    @property
    def loaded(self) -> Loaded:
        """The generator of the run."""
        return self.served.generator()

    @property
    def words(self) -> str:
        """The selection in words, for the page."""
        cut = "" if self.truncation == 1 else f", truncation {self.truncation:g}"
        shown = self.loaded.values["images"]
        return f"{self.served.name}: {self.name}, seed {self.seed}{cut}. The run has seen {shown:,} real images, repeats counted."

    @property
    def noise(self) -> torch.Tensor:
        """Noise (count, noise_size) of the images."""
        return noise(self.loaded, self.name, self.seed, self.count, self.truncation)

    def images(self) -> np.ndarray:
        """The images (count, S, S, 3)."""
        return images(self.loaded, self.name, self.noise)

    def fewer(self, served: Served) -> ImageRequest:
        """The first `limits.MOST_COMPARED` of the images, by a run."""
        return replace(self, served=served, count=min(self.count, limits.MOST_COMPARED))


def image_request(runs: Sequence[Served], run: Any, name: Any, seed: Any, truncation: Any, count: Any) -> ImageRequest:
    """Check the values of a request.

    Raises:
        UserError: a value is out of bounds, or no such run or class is served.
    """
    served = run_of(runs, run)
    loaded = served.generator()
    return ImageRequest(
        served,
        limits.one_of(name, "The class", loaded.classes),
        limits.whole(seed, "The seed", 0, limits.LARGEST_SEED),
        limits.number(truncation, "The truncation", limits.LEAST_TRUNCATION, 1),
        limits.whole(count, "The number of images", 1, limits.MOST_IMAGES),
    )


def run_of(runs: Sequence[Served], run: Any) -> Served:
    """A run by its number; UserError if there is none."""
    return runs[limits.whole(run, "A run's number", 0, len(runs) - 1)]


def image_of(request: ImageRequest, number: Any) -> int:
    """The number of one of the images; UserError if there is none."""
    return limits.whole(number, "An image's number", 0, request.count - 1)


def interpolation(request: ImageRequest, first: Any, second: Any, frames: Any) -> str:
    """Frames between two of the images."""
    ends = image_of(request, first), image_of(request, second)
    steps = limits.whole(frames, "The number of frames", 3, limits.MOST_FRAMES)
    rows = request.noise
    made = images(request.loaded, request.name, between(rows[ends[0]], rows[ends[1]], steps))
    return html.frames(made, request.words, ends)


def nearest(request: ImageRequest) -> str:
    """Up to 16 images, each beside its nearest real training image."""
    real = request.served.real
    if not isinstance(real, RealImages):
        raise UserError(real)
    made = request.fewer(request.served).images()
    whole = request.truncation == 1  # audits cover truncation 1 only
    audited = [whole and latent_seed(request.seed, request.name, i) in request.served.flagged for i in range(len(made))]
    caution = PROCEDURAL if real.data.name == "demo" else PATIENTS
    return html.pairs(zip(made, real.nearest(made), audited, strict=True), request.name, request.words, caution)


def circuits(request: ImageRequest, chosen: Any, backend: Any, shots: Any) -> str:
    """The circuit and readouts of one image, and the same image computed on another backend."""
    loaded = request.loaded
    number = image_of(request, chosen)
    where = limits.one_of(backend, "The backend", list(BACKENDS))
    times = limits.whole(shots, "The number of shots", 1, limits.MOST_SHOTS)
    if not loaded.generator.circuits:
        raise UserError(f"{request.served.name} is of preset {loaded.config.preset}, which has no circuits.")
    row, exact = request.noise[number], request.images()[number]
    other = None if where == "statevector" else image_on(loaded, request.name, row, where, times, exact)
    called = f"{BACKENDS[where]}, {times:,} shots"
    values = readouts(loaded, request.name, row)
    ansatz = loaded.generator.circuits[0].ansatz
    about = f"Image {number} of {request.words}"
    return html.circuit(exact, other, called, ansatz, values, drawing(ansatz), about)


def two_runs(request: ImageRequest, runs: Sequence[Served], other: Any) -> str:
    """The same class, seed and truncation by two runs."""
    if len(runs) < 2:
        raise UserError("One run is served; hqgan serve RUN RUN shows two beside each other.")
    grids = []
    for served in (request.served, run_of(runs, other)):
        if request.name not in served.generator().classes:
            raise UserError(f"{served.name} has no class {request.name}.")
        mine = request.fewer(served)
        grids.append((served.name, html.grid(mine.images(), request.name, mine.words, opens=False)))
    return html.side_by_side(grids)


def curves(folder: Path) -> tuple[int, list[Picture]]:
    """Images that a run has shown so far, and charts of distances and losses; the run may still be in training.

    An incomplete last line is ignored. The charts are redrawn only when the file has changed.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return 0, []
    about = path.stat()
    return _curves(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=8)
def _curves(path: Path, size: int, changed: int) -> tuple[int, list[Picture]]:
    lines = read_lines(path)
    return (lines[-1]["images"] if lines else 0), charts(lines)


def download(request: ImageRequest) -> str:
    """A link that contains the images as a zip file."""
    data = archive(request.served, request.name, request.seed, request.count, request.truncation)
    return html.link(f"{request.name}-seed{request.seed}.zip", data, request.count)


def first(runs: Sequence[Served]) -> str:
    """The HTML that the page begins with: what its controls select before anybody moves them."""
    return answer(runs, IMAGES, 0, (runs[0].generator().classes[0], "0", 1, 16), (0, 1, 8, 0, "statevector", 1024, 0))


def answer(runs: Sequence[Served], view: Any, run: Any, about: Sequence[Any], more: Sequence[Any]) -> str:
    """The HTML that a request asks for, or the sentence why it is refused.

    Args:
        runs: what is served.
        view: which part of the page, one of `VIEWS`.
        run: number of the run.
        about: class, seed, truncation and count.
        more: two images and frames; one image, backend and shots; the other run.
    """
    try:
        chosen = limits.one_of(view, "The view", VIEWS)
        if chosen == TRAINING:
            served = run_of(runs, run)
            return html.training(served.name, *curves(served.folder))
        request = image_request(runs, run, *about)
        first, second, frames, image, backend, shots, other = more
        if chosen == BETWEEN:
            return interpolation(request, first, second, frames)
        if chosen == NEAREST:
            return nearest(request)
        if chosen == CIRCUIT:
            return circuits(request, image, backend, shots)
        if chosen == RUNS:
            return two_runs(request, runs, other)
        return html.grid(request.images(), request.name, request.words)
    except UserError as error:
        return html.refusal(str(error))
