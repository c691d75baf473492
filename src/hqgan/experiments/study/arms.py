"""The arms of a study: what a classifier is shown, as data.

A ratio is in units of the fill: 1 fills every rare class up to *balance*, the mean number of training images of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hqgan.errors import UserError
from hqgan.wording import listed

USES = {
    "mixed": "generated images of the rare classes beside all real ones, every image as likely as any other",
    "capped": "classes equally often; of a rare class a quarter of the draws are generated images",
    "agreed": "as capped, only generated images in which a classifier trained on real ones sees the class asked for",
    "dense": "as capped, only the generated images that lie deepest among the real training images of their class",
    "pretrain": "the first 30 % of the steps on generated images of all classes, the rest on real ones, classes equally often",
    "only": "generated images of all classes, no real one",
}
"""What is done with generated images. All with standard augmentation."""

CLASSICAL = {
    "real": "real images as they are",
    "augmented": "real images, standard augmentation",
    "oversampled": "real images, standard augmentation, classes equally often",
    "weighted": "real images, standard augmentation, loss weighted by the inverse of a class's frequency",
}
"""Arms without generated images; the best of them is the opponent."""

CAP = 0.25
"""Share of a rare class's draws that are generated images, where a use caps it."""

PRETRAINING = 0.3
"""Share of the steps that `pretrain` spends on generated images."""

RARE = 0.25
"""Share of the mean class size below which a class is rare."""

RATIOS = (0.1, 0.5, 1.0, 2.0)
"""Of `mixed`. The other uses take one."""

MOST = 2.0
"""Generated images of a rare class that are made, in units of the fill: filters choose among them."""


@dataclass(frozen=True)
class Arm:
    """What a classifier is shown.

    Attributes:
        use: a key of `CLASSICAL` or `USES`.
        generator: name of where generated images come from; None for a classical arm.
        ratio: generated images of the rare classes, in units of the fill.
    """

    use: str
    generator: str | None = None
    ratio: float = 1.0

    @property
    def name(self) -> str:
        """``oversampled``, ``hqgan-mixed-10%``, ``hqgan-capped``; the file name of its results, too."""
        if self.generator is None:
            return self.use
        return f"{self.generator}-{self.use}" + (f"-{ratio_name(self.ratio)}" if self.use == "mixed" else "")

    @property
    def text(self) -> str:
        """One line on what it is."""
        return CLASSICAL[self.use] if self.generator is None else USES[self.use]


def ratio_name(ratio: float) -> str:
    """``10%``, ``balance``, ``x2``."""
    if ratio == 1:
        return "balance"
    return f"{100 * ratio:g}%" if ratio < 1 else f"x{ratio:g}"


def arms_of(generators: Sequence[str], uses: Sequence[str], ratios: Sequence[float]) -> list[Arm]:
    """The classical arms, then every use of every generator.

    Raises:
        UserError: an unknown use, or a ratio outside 0 to `MOST`.
    """
    if unknown := [use for use in uses if use not in USES]:
        raise UserError(f"There is no use {unknown[0]!r} of generated images; there are {listed(list(USES))}.")
    if wrong := [r for r in ratios if not 0 < r <= MOST]:
        raise UserError(f"A ratio of {wrong[0]:g} is outside 0 to {MOST:g}; 1 fills the rare classes to balance.")
    arms = [Arm(use) for use in CLASSICAL]
    for generator in generators:
        for use in uses:
            arms += [Arm(use, generator, ratio) for ratio in (sorted(ratios) if use == "mixed" else (1.0,))]
    return arms


def balance(counts: np.ndarray) -> int:
    """Images of each class where as many as there are were spread evenly."""
    return round(float(np.mean(counts)))


def rare_classes(counts: np.ndarray, classes: Sequence[str], wanted: Sequence[str] | None) -> list[int]:
    """Labels of the classes to fill.

    Args:
        counts: (C,) images of the whole data set, so that every seed fills the same classes.
        classes: names.
        wanted: names asked for; None for the classes below `RARE` times the mean.

    Raises:
        UserError: an unknown class, or none that is rare.
    """
    if wanted:
        if unknown := [name for name in wanted if name not in classes]:
            raise UserError(f"There is no class {unknown[0]!r} in the data; there are {listed(classes)}.")
        found = [classes.index(name) for name in wanted]
        if large := [c for c in found if counts[c] >= balance(counts)]:
            raise UserError(
                f"The class {classes[large[0]]!r} has {counts[large[0]]} images, no fewer than the mean class "
                f"({balance(counts)}): there is nothing to fill; leave it out of --fill."
            )
        return found
    found = np.flatnonzero(counts < RARE * np.mean(counts)).tolist()
    if not found:
        raise UserError(
            f"No class has fewer than {RARE:.0%} of the mean number of images: name the rare ones with --fill."
        )
    return found


def fill(counts: np.ndarray, rare: Sequence[int], ratio: float) -> np.ndarray:
    """(C,) generated images by class that an arm adds."""
    out = np.zeros(len(counts), np.int64)
    for c in rare:
        out[c] = max(0, round(ratio * (balance(counts) - counts[c])))
    return out


def pool_sizes(counts: np.ndarray, rare: Sequence[int]) -> np.ndarray:
    """(C,) images to make of each class, enough for every use, whichever are asked for: a use added later sees the same."""
    return np.maximum(fill(counts, rare, MOST), balance(counts))
