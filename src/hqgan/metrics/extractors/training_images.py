"""The training images that feature extractors are fitted to, clean and corrupted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hqgan.reporter import SILENT, Reporter

SEED = 20240
_FITTED_ON = 2000  # clean training images, and as many corrupted ones, that set an extractor's directions


@dataclass(frozen=True)
class TrainingImages:
    """A training split.

    Attributes:
        images: (N, S, S, 3) uint8.
        labels: (N,) class indices.
        reporter: receives the progress of training.
    """

    images: np.ndarray
    labels: np.ndarray
    reporter: Reporter = SILENT

    @cached_property
    def clean(self) -> np.ndarray:
        """Up to 2,000 of the images, at random but always the same."""
        return self.images[np.random.default_rng(SEED).permutation(len(self.images))[:_FITTED_ON]]

    @cached_property
    def corrupted(self) -> np.ndarray:
        """The images of `clean`, corrupted at random."""
        import torch

        from hqgan.io.images import to_float, to_uint8
        from hqgan.metrics.extractors.corruptions import corrupt, strengths

        generator = torch.Generator().manual_seed(SEED)
        parts = np.array_split(self.clean, -(-len(self.clean) // 250))
        done = [to_uint8(corrupt(to_float(x), strengths(len(x), generator), generator)) for x in parts]
        return np.concatenate(done)
