"""Computes what the page shows for a request: values are checked, images computed, and HTML returned. There is no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hqgan.errors import UserError
from hqgan.sampling.images import latent_seed
from hqgan.serve import circuit, limits, markup
from hqgan.serve.curves import curves
from hqgan.serve.images import archive, between, images, noise
from hqgan.serve.real import RealImages
from hqgan.serve.runs import Served

IMAGES, BETWEEN, NEAREST, CIRCUIT, RUNS, TRAINING = VIEWS = (
    "Images", "Between two", "Nearest real", "Circuit", "Two runs", "Training",
)  # fmt: skip


@dataclass(frozen=True)
class ImageRequest:
    """The images that a request selects; all values are within bounds."""

    served: Served
    name: str
    seed: int
    truncation: float
    count: int

    @property
    def words(self) -> str:
        """The selection in words, for the page."""
        cut = "" if self.truncation == 1 else f", truncation {self.truncation:g}"
        shown = self.served.generator().values["images"]
        return f"{self.served.name}: {self.name}, seed {self.seed}{cut}. The run has seen {shown:,} real images, repeats counted."

    def noise(self, count: int | None = None) -> Any:
        """Noise (count, noise_size) of the first images."""
        return noise(self.served.generator(), self.name, self.seed, count or self.count, self.truncation)


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


def grid(request: ImageRequest) -> str:
    """The images as a grid."""
    return markup.grid(images(request.served.generator(), request.name, request.noise()), request.name, request.words)


def interpolation(request: ImageRequest, first: Any, second: Any, frames: Any) -> str:
    """Frames between two of the images."""
    ends = tuple(limits.whole(i, "An image's number", 0, request.count - 1) for i in (first, second))
    steps = limits.whole(frames, "The number of frames", 3, limits.MOST_FRAMES)
    rows = request.noise()
    made = images(request.served.generator(), request.name, between(rows[ends[0]], rows[ends[1]], steps))
    return markup.row(made, request.words, (ends[0], ends[1]))


def nearest(request: ImageRequest) -> str:
    """Up to 16 images, each beside its nearest real training image."""
    loaded, real = request.served.generator(), request.served.real
    if not isinstance(real, RealImages):
        raise UserError(real)
    made = images(loaded, request.name, request.noise(min(request.count, limits.MOST_COMPARED)))
    whole = request.truncation == 1  # audits cover truncation 1 only
    audited = [whole and latent_seed(request.seed, request.name, i) in request.served.flagged for i in range(len(made))]
    caution = markup.PROCEDURAL if real.data.name == "demo" else markup.PATIENTS
    return markup.pairs(made, real.nearest(made), audited, request.name, request.words, caution)


def circuits(request: ImageRequest, chosen: Any, backend: Any, shots: Any) -> str:
    """The circuit and readouts of one image, and the same image computed on another backend."""
    loaded = request.served.generator()
    number = limits.whole(chosen, "An image's number", 0, request.count - 1)
    where = limits.one_of(backend, "The backend", list(circuit.BACKENDS))
    times = limits.whole(shots, "The number of shots", 1, limits.MOST_SHOTS)
    if not loaded.generator.circuits:
        raise UserError(f"{request.served.name} is of preset {loaded.config.preset}, which has no circuits.")
    rows = request.noise()
    exact = images(loaded, request.name, rows)[number]
    other = None
    if where != "statevector":
        other = circuit.on(loaded, request.name, rows[number], where, times, exact)
    called = f"{circuit.BACKENDS[where]}, {times:,} shots"
    values = circuit.readouts(loaded, request.name, rows[number])
    ansatz = loaded.generator.circuits[0].ansatz
    about = f"Image {number} of {request.words}"
    return markup.circuit(exact, other, called, ansatz, values, circuit.drawing(ansatz), about)


def two_runs(request: ImageRequest, runs: Sequence[Served], other: Any) -> str:
    """The same class, seed and truncation by two runs."""
    if len(runs) < 2:
        raise UserError("One run is served; hqgan serve RUN RUN shows two beside each other.")
    grids = []
    for served in (request.served, run_of(runs, other)):
        loaded = served.generator()
        if request.name not in loaded.classes:
            raise UserError(f"{served.name} has no class {request.name}.")
        mine = ImageRequest(
            served, request.name, request.seed, request.truncation, min(request.count, limits.MOST_COMPARED)
        )
        shown = images(loaded, request.name, mine.noise())
        grids.append((served.name, markup.grid(shown, request.name, mine.words, opens=False)))
    return markup.side_by_side(grids)


def training(runs: Sequence[Served], run: Any) -> str:
    """The curves of a run."""
    served = run_of(runs, run)
    return markup.curves(served.name, *curves(served.folder))


def download(request: ImageRequest) -> str:
    """A link that contains the images as a zip file."""
    data = archive(request.served, request.name, request.seed, request.count, request.truncation)
    return markup.link(f"{request.name}-seed{request.seed}.zip", data, request.count)


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
            return training(runs, run)
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
        return grid(request)
    except UserError as error:
        return markup.refusal(str(error))
