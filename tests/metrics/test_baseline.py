import numpy as np
import pytest

from hqgan.metrics.baseline import SHRINKAGE, fit_pca_gaussian


def flat_images(rng, n, mean, deviation):
    """Images (n, 4, 4, 3) that vary along three fixed directions only."""
    basis = np.linalg.qr(np.random.default_rng(9).normal(size=(48, 3)))[0].T
    scores = rng.normal(size=(n, 3)) * deviation + mean
    return (128 + scores @ basis).reshape(n, 4, 4, 3).round().astype(np.uint8)


def test_recovers_means_and_covariances_of_classes():
    rng = np.random.default_rng(0)
    images = np.concatenate(
        [flat_images(rng, 4000, [0, 60, 0], [80, 30, 20]), flat_images(rng, 4000, [50, 0, -30], [30, 60, 10])]
    )
    labels = np.repeat([0, 1], 4000)
    drawn = fit_pca_gaussian(images, labels, 2).sample(labels, seed=1)
    for c in (0, 1):
        real = images[labels == c].reshape(4000, -1).astype(float)
        made = drawn[labels == c].reshape(4000, -1).astype(float)
        assert np.abs(real.mean(0) - made.mean(0)).max() < 2.5
        real_cov, made_cov = np.cov(real, rowvar=False), np.cov(made, rowvar=False)
        assert np.linalg.norm(real_cov - made_cov) < 0.12 * np.linalg.norm(real_cov)


def test_covariances_shrink_to_the_pooled_one():
    rng = np.random.default_rng(1)
    images = np.concatenate([flat_images(rng, 2000, 0, [60, 20, 10]), flat_images(rng, 20, 0, [5, 5, 40])])
    labels = np.repeat([0, 1], [2000, 20])
    fitted = fit_pca_gaussian(images, labels, 3)
    scores = (images.reshape(2020, -1) - fitted.mean) @ fitted.components.T
    own = [np.cov(scores[labels == c], rowvar=False) for c in (0, 1)]
    pooled = (own[0] * 1999 + own[1] * 19) / 2018
    expected = (20 * own[1] + SHRINKAGE * pooled) / (20 + SHRINKAGE)
    np.testing.assert_allclose(fitted.roots[1] @ fitted.roots[1], expected, rtol=1e-3, atol=0.5)
    # A class that was never seen looks like the mixture of all.
    np.testing.assert_allclose(fitted.means[2], 0)
    np.testing.assert_allclose(fitted.roots[2] @ fitted.roots[2], scores.T @ scores / 2019, rtol=1e-3, atol=0.5)


def test_same_seed_same_bytes():
    rng = np.random.default_rng(2)
    images, labels = flat_images(rng, 60, 0, 30), np.arange(60) % 3
    fitted = fit_pca_gaussian(images, labels, 3)
    first, second, other = (fitted.sample(labels, seed=s) for s in (5, 5, 6))
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert first.tobytes() == second.tobytes() != other.tobytes()
    assert fitted.components @ fitted.components.T == pytest.approx(np.eye(len(fitted.components)), abs=1e-4)
