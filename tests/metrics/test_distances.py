import numpy as np
import pytest
from scipy.linalg import sqrtm

from hqgan.metrics import distances


def test_frechet_agrees_with_scipys_matrix_root():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(400, 12)) @ rng.normal(size=(12, 12))
    b = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) + 0.5
    sa, sb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sa + sb - 2 * np.real(sqrtm(sa @ sb)))
    assert distances.frechet(a, b) == pytest.approx(expected, rel=1e-9)
    assert distances.frechet(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_diagonal_gaussians_has_its_closed_form():
    rng = np.random.default_rng(1)
    # Columns made exactly orthogonal, so that both covariances are exactly diagonal.
    basis, _ = np.linalg.qr(np.c_[np.ones(50), rng.normal(size=(50, 5))])
    unit = basis[:, 1:] * np.sqrt(49)
    first, second, shift = np.arange(1.0, 6), np.array([3.0, 1, 4, 1, 5]), np.array([1.0, 0, 2, 0, -1])
    expected = (shift**2).sum() + ((first - second) ** 2).sum()
    assert distances.frechet(unit * first, unit * second + shift) == pytest.approx(expected, rel=1e-10)


def test_frechet_is_stable_where_the_covariance_is_singular():
    rng = np.random.default_rng(2)
    flat = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 20))
    assert distances.frechet(flat, flat) == pytest.approx(0, abs=1e-6)
    assert distances.frechet(flat, flat + 1) == pytest.approx(20, rel=1e-6)


def test_frechet_of_too_few_images_says_so():
    few = np.random.default_rng(0).normal(size=(40, 20))
    with pytest.raises(ValueError, match="40 images are too few for a Fréchet distance in 20 features; more than 40"):
        distances.frechet(few, few)
    assert distances.frechet_reason(41, 20) is None
    with pytest.raises(ValueError, match="of one D"):
        distances.frechet(few, few[:, :5])


def test_kernel_agrees_with_a_loop():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(9, 4)), rng.normal(size=(7, 4)) + 0.3

    def k(x, y):
        return (x @ y / 4 + 1) ** 3

    within_a = np.mean([k(a[i], a[j]) for i in range(9) for j in range(9) if i != j])
    within_b = np.mean([k(b[i], b[j]) for i in range(7) for j in range(7) if i != j])
    across = np.mean([k(x, y) for x in a for y in b])
    assert distances.kernel(a, b) == pytest.approx(within_a + within_b - 2 * across, rel=1e-12)


def test_kernel_is_unbiased():
    rng = np.random.default_rng(4)
    values = [distances.kernel(*rng.normal(size=(2, 20, 5))) for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def test_sliced_wasserstein_agrees_with_scipy_and_thins_the_larger_set():
    from scipy.stats import wasserstein_distance

    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(50, 3)), rng.normal(size=(50, 3)) + 1
    expected = np.mean([wasserstein_distance(a[:, k], b[:, k]) for k in range(3)])
    assert distances.sliced_wasserstein(a, b) == pytest.approx(expected, rel=1e-10)
    assert distances.sliced_wasserstein(a, np.repeat(b, 3, axis=0)) == pytest.approx(expected, rel=1e-10)
