"""The simple baseline: images of a Gaussian in the space of each class's principal components."""

from __future__ import annotations

import hashlib

import numpy as np

from hqgan.experiments.study.sources.pool import Pool, SourceInfo
from hqgan.metrics.baseline import fit_pca_gaussian
from hqgan.types import ImageData, Split


def fit(name: str, sizes: np.ndarray, data: ImageData, split: Split, seed: int) -> Pool:
    """Images of a PCA-Gaussian fitted to the training part; see `Fit` for the arguments."""
    sampler = fit_pca_gaussian(data.images[split.train], data.labels[split.train], len(data.classes))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    arrays = (sampler.mean, sampler.components, sampler.means, sampler.roots)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
    parameters = int(sum(a.size for a in arrays))
    about = SourceInfo(name, digest, parameters, len(split.train), 1.0, verified=True)
    return Pool(sampler.sample(labels, seed), labels, about)
