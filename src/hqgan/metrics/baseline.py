"""The simple baseline, which any GAN has to beat: a Gaussian for each class, in principal components of the training pixels.

Its constants are fixed here, once for all data sets and runs, since the normalised distance divides by it. It is meant
to be a fair baseline: it knows each class's mean image and how pixels vary together, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hqgan.runtime.threads import one_thread

COMPONENTS = 128
"""Principal components shared by all classes; fewer where there are fewer images. No noise stands in for the rest: noise
on every pixel would put the baseline farther from real images and make it easier to beat."""

SHRINKAGE = 128
"""Weight of the pooled within-class covariance, in images: a class of n has ``(n S_c + 128 S_pooled) / (n + 128)``."""


@dataclass(frozen=True)
class PCAGaussian:
    """A fitted sampler.

    Attributes:
        shape: (S, S, 3) of an image.
        mean: (P,) float64 mean pixel values, 0 to 255.
        components: (K, P) float32 orthonormal principal directions, strongest first.
        means: (C, K) float64 class means in components.
        roots: (C, K, K) float64 symmetric square roots of the classes' shrunk covariances.
    """

    shape: tuple[int, ...]
    mean: np.ndarray
    components: np.ndarray
    means: np.ndarray
    roots: np.ndarray

    def sample(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """Images uint8 (N, S, S, 3) of classes `labels` (N,); equal seeds give equal images."""
        rng = np.random.default_rng(seed)
        labels = np.asarray(labels)
        noise = rng.standard_normal((len(labels), len(self.components)))
        out = np.empty((len(labels), len(self.mean)), np.uint8)
        for c in np.unique(labels):
            rows = labels == c
            scores = self.means[c] + noise[rows] @ self.roots[c]
            pixels = self.mean.astype(np.float32) + scores.astype(np.float32) @ self.components
            out[rows] = pixels.round().clip(0, 255).astype(np.uint8)
        return out.reshape(len(labels), *self.shape)


def fit_pca_gaussian(images: np.ndarray, labels: np.ndarray, classes: int, components: int = COMPONENTS) -> PCAGaussian:
    """Fit the sampler to training pixels.

    Args:
        images: (N, S, S, 3) uint8.
        labels: (N,) class indices below `classes`; a class without images takes the mean and covariance of all.
        classes: number of classes C.
        components: principal components kept, at most N - 1; anything but the default is for the extractor check.

    Returns:
        A sampler whose class means are the sample means and whose covariances are shrunk to the pooled one.
    """
    from sklearn.utils.extmath import randomized_svd

    images, labels = np.asarray(images), np.asarray(labels)
    with one_thread():
        flat = images.reshape(len(images), -1).astype(np.float32)
        mean = flat.mean(0, dtype=np.float64)
        flat -= mean.astype(np.float32)
        k = min(components, len(flat) - 1, flat.shape[1])
        # With these the weakest of 128 components of real lesions comes out to one part in 700; with the usual fewer it loses
        # two thirds of its strength, and the baseline changes with it.
        _, _, directions = randomized_svd(flat, k, n_oversamples=64, n_iter=4, random_state=0)
        scores = (flat @ directions.T).astype(np.float64)
        means = np.zeros((classes, k))
        scatter = np.zeros((classes, k, k))
        counts = np.bincount(labels, minlength=classes)
        for c in np.flatnonzero(counts):
            own = scores[labels == c]
            means[c] = own.mean(0)
            scatter[c] = (own - means[c]).T @ (own - means[c])
        pooled = scatter.sum(0) / max(len(flat) - np.count_nonzero(counts), 1)
        unbiased = counts / np.maximum(counts - 1, 1)
        shrunk = (unbiased[:, None, None] * scatter + SHRINKAGE * pooled) / (counts + SHRINKAGE)[:, None, None]
        shrunk[counts == 0] = scores.T @ scores / max(len(flat) - 1, 1)
        values, vectors = np.linalg.eigh(shrunk)
        roots = (vectors * np.sqrt(values.clip(0))[:, None, :]) @ vectors.transpose(0, 2, 1)
    return PCAGaussian(images.shape[1:], mean, directions.astype(np.float32), means, roots)
