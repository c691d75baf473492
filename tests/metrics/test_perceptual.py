from importlib import import_module

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from hqgan.metrics import perceptual
from hqgan.metrics.evaluator import Comparison
from hqgan.types import LabelledImages


def pictures(n, size=64, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(128 + 40 * rng.normal(size=(n, size // 8, size // 8, 3)).repeat(8, 1).repeat(8, 2)
                   + 5 * rng.normal(size=(n, size, size, 3)), 0, 255).astype(np.uint8)  # fmt: skip


def plain_ssim(a, b):
    """Wang et al., 2004, eq. 13, channel by channel; windows of 11 pixels, the image mirrored at its border."""
    x, y = a.astype(float) / 255, b.astype(float) / 255

    def blur(z):
        for axis in (0, 1):
            z = gaussian_filter1d(z, 1.5, axis=axis, truncate=5 / 1.5, mode="mirror")
        return z

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    one, two = 0.01**2, 0.03**2
    return ((2 * mx * my + one) * (2 * cov + two) / ((mx**2 + my**2 + one) * (vx + vy + two))).mean()


def test_ssim_agrees_with_a_plain_one():
    a = pictures(5)
    b = np.clip(a.astype(int) + np.random.default_rng(1).integers(-25, 26, a.shape), 0, 255).astype(np.uint8)
    assert perceptual.ssim(a, b) == pytest.approx([plain_ssim(x, y) for x, y in zip(a, b, strict=True)], abs=2e-3)
    assert perceptual.ssim(a, a) == pytest.approx(np.ones(5))


def test_ms_ssim_takes_the_scales_that_fit():
    assert [perceptual.scales_of(size) for size in (16, 32, 64, 128, 176, 256)] == [1, 2, 3, 4, 5, 5]
    a, b = pictures(3), pictures(3, seed=5)
    assert perceptual.ms_ssim(a, a) == pytest.approx(np.ones(3))
    assert (perceptual.ms_ssim(a, b) < 0.7).all()
    assert perceptual.ms_ssim(pictures(2, 32), pictures(2, 32)) == pytest.approx(np.ones(2))


def test_inception_score_agrees_with_torch_fidelity():
    import torch

    compute = import_module("torch_fidelity.metric_isc").isc_features_to_metric
    logits = np.random.default_rng(0).normal(size=(300, 12)) * 2
    theirs = compute(torch.from_numpy(logits), splits=1, shuffle=False)["inception_score_mean"]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert perceptual.inception_score(p) == pytest.approx(theirs, rel=1e-6)
    assert perceptual.inception_score(np.eye(4)) == pytest.approx(4)
    assert perceptual.inception_score(np.full((9, 3), 1 / 3)) == pytest.approx(1)


def test_a_collapsed_class_is_more_alike_than_real_ones_and_small_classes_say_so():
    real = LabelledImages(pictures(90), np.repeat([0, 1, 2], [40, 40, 10]))
    made = LabelledImages(np.concatenate([np.repeat(pictures(1, seed=3), 40, 0), pictures(50, seed=4)]), real.labels)
    found = perceptual.within_rows("ssim", perceptual.ssim, Comparison(made, real, real, ("a", "b", "c")))
    rows = {row.class_name: row for row in found}
    assert rows["a"].value == pytest.approx(1)
    assert rows["a"].real_reference < 0.7
    assert rows["b"].low <= rows["b"].value <= rows["b"].high
    assert rows["b"].value == pytest.approx(rows["b"].real_reference, abs=0.1)
    assert rows["c"].value is None
    assert rows["c"].reason == "fewer than 20 images of c on a side"
    assert rows[None].value == pytest.approx((rows["a"].value + rows["b"].value) / 2)


def test_the_nearest_real_image_of_a_copy_is_itself():
    labels = np.zeros(40, int)
    real, train = (LabelledImages(pictures(40, seed=seed), labels) for seed in (0, 9))
    made = LabelledImages(real.images[::-1], labels)
    rows = perceptual.nearest_rows("ssim", perceptual.ssim, Comparison(made, real, train, ("a",)))
    assert rows[0].key == "ssim_nearest"
    assert rows[0].value == pytest.approx(1)
    assert rows[0].real_reference < 0.9
