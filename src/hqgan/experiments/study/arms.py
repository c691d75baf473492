"""The arms of a study: each defines what a classifier is trained on.

A ratio of 1 adds as many generated images to every rare class as it takes to reach the mean class size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hqgan.errors import UserError
from hqgan.experiments.study.batches import Batches, Sampling, TrainingImages, by_class, in_epochs
from hqgan.experiments.study.uses import OLD_NAMES, USES, use_named
from hqgan.wording import listed


@dataclass(frozen=True)
class Classical:
    """An arm without generated images.

    Attributes:
        text: one line on what the classifier is shown, for reports.
        batches: from the real training images to batches.
        augmented: whether images are augmented in the standard way.
        weighted: whether the loss is weighted by the inverse of a class's frequency.
    """

    text: str
    batches: Callable[[TrainingImages, Sampling], Batches] = in_epochs
    augmented: bool = True
    weighted: bool = False


CLASSICAL = {
    "real": Classical("real images without augmentation", augmented=False),
    "augmented": Classical("real images, standard augmentation"),
    "oversampled": Classical("real images, standard augmentation; classes are drawn equally often", by_class),
    "weighted": Classical(
        "real images, standard augmentation; the loss is weighted by the inverse of a class's frequency", weighted=True
    ),
}
"""Arms without generated images, by name. Arms with generated images are compared with the best of them."""

RARE = 0.25
"""A class with fewer images than this share of the mean class size is rare."""

RATIOS = (0.1, 0.5, 1.0, 2.0)
"""Ratios of the use ``mixed``. The other uses have one arm, at ratio 1."""

MOST = 2.0
"""Ratio up to which generated images of a rare class are made; filters choose among them."""


@dataclass(frozen=True)
class Arm:
    """What a classifier is trained on.

    Attributes:
        use: a key of `CLASSICAL` or of `USES`.
        generator: name of the source of generated images; None for a classical arm.
        ratio: how many generated images of the rare classes are added, see above.
    """

    use: str
    generator: str | None = None
    ratio: float = 1.0

    @property
    def name(self) -> str:
        """``oversampled``, ``hqgan-mixed-10%`` or ``hqgan-balanced-mix``; also the name of its result file."""
        return self._named(self.use)

    @property
    def old_names(self) -> list[str]:
        """Names of its result files in older studies, if they differ."""
        return [self._named(old) for old, new in OLD_NAMES.items() if self.generator is not None and new == self.use]

    @property
    def text(self) -> str:
        """One line on what it is."""
        return CLASSICAL[self.use].text if self.generator is None else USES[self.use].text

    def _named(self, use: str) -> str:
        if self.generator is None:
            return use
        if not USES[self.use].by_ratio:
            return f"{self.generator}-{use}"
        ratio = "balance" if self.ratio == 1 else f"{100 * self.ratio:g}%" if self.ratio < 1 else f"x{self.ratio:g}"
        return f"{self.generator}-{use}-{ratio}"


def arms_of(generators: Sequence[str], uses: Sequence[str], ratios: Sequence[float]) -> list[Arm]:
    """The classical arms, then every use of every generator.

    Raises:
        UserError: an unknown use, or a ratio outside 0 to `MOST`.
    """
    by_name = {name: use_named(name) for name in uses}
    if wrong := [r for r in ratios if not 0 < r <= MOST]:
        raise UserError(f"A ratio of {wrong[0]:g} is outside 0 to {MOST:g}; 1 fills the rare classes to balance.")
    arms = [Arm(use) for use in CLASSICAL]
    for generator in generators:
        for name, use in by_name.items():
            arms += [Arm(name, generator, ratio) for ratio in (sorted(ratios) if use.by_ratio else (1.0,))]
    return arms


def balance(counts: np.ndarray) -> int:
    """The mean class size, rounded."""
    return round(float(np.mean(counts)))


def rare_classes(counts: np.ndarray, classes: Sequence[str], wanted: Sequence[str] | None) -> list[int]:
    """Labels of the classes to fill.

    Args:
        counts: (C,) images of the whole data set, so that every seed fills the same classes.
        classes: names of the classes.
        wanted: names of the classes to fill; None for those with fewer images than `RARE` times the mean class size.

    Raises:
        UserError: a class is unknown, has nothing to fill, or no class is rare.
    """
    if wanted:
        if unknown := [name for name in wanted if name not in classes]:
            raise UserError(f"There is no class {unknown[0]!r} in the data; there are {listed(classes)}.")
        found = [classes.index(name) for name in wanted]
        if large := [c for c in found if counts[c] >= balance(counts)]:
            raise UserError(
                f"The class {classes[large[0]]!r} has {counts[large[0]]} images, at least as many as the mean "
                f"class size ({balance(counts)}), so there is nothing to fill; leave it out of `fill`."
            )
        return found
    found = np.flatnonzero(counts < RARE * np.mean(counts)).tolist()
    if not found:
        raise UserError(
            f"No class has fewer images than {RARE:.0%} of the mean class size: name the rare ones with `fill`."
        )
    return found


def fill(counts: np.ndarray, rare: Sequence[int], ratio: float) -> np.ndarray:
    """(C,) generated images by class that an arm adds."""
    out = np.zeros(len(counts), np.int64)
    for c in rare:
        out[c] = max(0, round(ratio * (balance(counts) - counts[c])))
    return out


def pool_sizes(counts: np.ndarray, rare: Sequence[int]) -> np.ndarray:
    """(C,) images to make of each class: enough for every use, so that a use that is added later draws on the same ones."""
    return np.maximum(fill(counts, rare, MOST), balance(counts))
