"""One view of the page from what a request asks for: checked, computed, as HTML. No state: equal requests, equal answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hqgan.errors import UserError
from hqgan.sampling.generate import latent_seed
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
    """Which images a request is about, in bounds."""

    served: Served
    name: str
    seed: int
    truncation: float
    count: int

    @property
    def words(self) -> str:
        """The same for people."""
        cut = "" if self.truncation == 1 else f", truncation {self.truncation:g}"
        shown = self.served.generator().values["images"]
        return f"{self.served.name}: {self.name}, seed {self.seed}{cut}. The run has been shown {shown:,} real images."

    def noise(self, count: int | None = None) -> Any:
        """Noise of its first images."""
        return noise(self.served.generator(), self.name, self.seed, count or self.count, self.truncation)


def wish_of(runs: Sequence[Served], run: Any, name: Any, seed: Any, truncation: Any, count: Any) -> ImageRequest:
    """What a request asks for.

    Raises:
        UserError: a value is out of bounds, or no such run or class is served.
    """
    served = run_of(runs, run)
    loaded = served.generator()
    return ImageRequest(
        served,
        limits.one_of(name, "The class", loaded.classes),
        limits.whole(seed, "The seed", 0, limits.LARGEST_SEED),
        limits.share(truncation, "The truncation", limits.LEAST_TRUNCATION, 1),
        limits.whole(count, "The number of images", 1, limits.MOST_IMAGES),
    )


def run_of(runs: Sequence[Served], run: Any) -> Served:
    """A run by its number; UserError where there is none."""
    return runs[limits.whole(run, "A run's number", 0, len(runs) - 1)]


def grid(wish: ImageRequest) -> str:
    """The images."""
    return markup.grid(images(wish.served.generator(), wish.name, wish.noise()), wish.name, wish.words)


def way(wish: ImageRequest, first: Any, second: Any, frames: Any) -> str:
    """Frames between two of the images."""
    ends = tuple(limits.whole(i, "An image's number", 0, wish.count - 1) for i in (first, second))
    steps = limits.whole(frames, "The number of frames", 3, limits.MOST_FRAMES)
    rows = wish.noise()
    made = images(wish.served.generator(), wish.name, between(rows[ends[0]], rows[ends[1]], steps))
    return markup.row(made, wish.words, (ends[0], ends[1]))


def nearest(wish: ImageRequest) -> str:
    """The images, up to 16, beside the real ones that they lie nearest to."""
    loaded, real = wish.served.generator(), wish.served.real
    if not isinstance(real, RealImages):
        raise UserError(real)
    made = images(loaded, wish.name, wish.noise(min(wish.count, limits.MOST_COMPARED)))
    whole = wish.truncation == 1  # an audit looks at nothing else
    audited = [whole and latent_seed(wish.seed, wish.name, i) in wish.served.flagged for i in range(len(made))]
    caution = markup.PROCEDURAL if real.data.name == "demo" else markup.PATIENTS
    return markup.pairs(made, real.nearest(made), audited, wish.name, wish.words, caution)


def circuits(wish: ImageRequest, chosen: Any, backend: Any, shots: Any) -> str:
    """One image's circuit and readouts, and the same image on another backend."""
    loaded = wish.served.generator()
    number = limits.whole(chosen, "An image's number", 0, wish.count - 1)
    where = limits.one_of(backend, "The backend", list(circuit.BACKENDS))
    times = limits.whole(shots, "The number of shots", 1, limits.MOST_SHOTS)
    if not loaded.generator.circuits:
        raise UserError(f"{wish.served.name} is of preset {loaded.config.preset}, which has no circuits.")
    rows = wish.noise()
    exact = images(loaded, wish.name, rows)[number]
    other = None
    if where != "statevector":
        other = circuit.on(loaded, wish.name, rows[number], where, times, exact)
    called = f"{circuit.BACKENDS[where]}, {times:,} shots"
    values = circuit.readouts(loaded, wish.name, rows[number])
    ansatz = loaded.generator.circuits[0].ansatz
    about = f"Image {number} of {wish.words}"
    return markup.circuit(exact, other, called, ansatz, values, circuit.drawing(ansatz), about)


def two(wish: ImageRequest, runs: Sequence[Served], other: Any) -> str:
    """The same class, seed and truncation by two runs."""
    if len(runs) < 2:
        raise UserError("One run is served; hqgan serve RUN RUN shows two beside each other.")
    grids = []
    for served in (wish.served, run_of(runs, other)):
        loaded = served.generator()
        if wish.name not in loaded.classes:
            raise UserError(f"{served.name} has no class {wish.name}.")
        mine = ImageRequest(served, wish.name, wish.seed, wish.truncation, min(wish.count, limits.MOST_COMPARED))
        shown = images(loaded, wish.name, mine.noise())
        grids.append((served.name, markup.grid(shown, wish.name, mine.words, opens=False)))
    return markup.side_by_side(grids)


def training(runs: Sequence[Served], run: Any) -> str:
    """The curves of a run."""
    served = run_of(runs, run)
    return markup.curves(served.name, *curves(served.folder))


def download(wish: ImageRequest) -> str:
    """A link that holds the images as a zip."""
    data = archive(wish.served, wish.name, wish.seed, wish.count, wish.truncation)
    return markup.link(f"{wish.name}-seed{wish.seed}.zip", data, wish.count)


def answer(runs: Sequence[Served], view: Any, run: Any, about: Sequence[Any], more: Sequence[Any]) -> str:
    """A view, or the sentence why it is refused.

    Args:
        runs: what is served.
        view: one of `VIEWS`.
        run: its number.
        about: class, seed, truncation and count.
        more: two images and frames; one image, backend and shots; the other run.
    """
    try:
        chosen = limits.one_of(view, "The view", VIEWS)
        if chosen == TRAINING:
            return training(runs, run)
        wish = wish_of(runs, run, *about)
        first, second, frames, image, backend, shots, other = more
        if chosen == BETWEEN:
            return way(wish, first, second, frames)
        if chosen == NEAREST:
            return nearest(wish)
        if chosen == CIRCUIT:
            return circuits(wish, image, backend, shots)
        if chosen == RUNS:
            return two(wish, runs, other)
        return grid(wish)
    except UserError as error:
        return markup.refusal(str(error))
