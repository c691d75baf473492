import numpy as np
import pytest

from hqgan.metrics.distances import pairwise
from hqgan.metrics.prdc import NEIGHBOURS, depth, prdc


def of_features(real, generated, k=NEIGHBOURS):
    return prdc(pairwise(real, real), pairwise(generated, generated), pairwise(real, generated), k)


def test_agrees_with_brute_force():
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)) * 0.7 + 0.4

    def share(points, centres, k):
        inside = 0
        for p in points:
            for c in centres:
                reach = sorted(np.linalg.norm(c - other) for other in centres)[k]
                if np.linalg.norm(p - c) <= reach:
                    inside += 1
                    break
        return inside / len(points)

    assert of_features(real, generated, 3)[:2] == (share(generated, real, 3), share(real, generated, 3))


def test_is_the_right_way_round():
    rng = np.random.default_rng(1)
    real = np.concatenate([rng.normal(0, 1, (100, 2)), rng.normal(20, 1, (100, 2))])
    one_mode = rng.normal(0, 0.7, (200, 2))  # good images, half of the variety
    precision, recall, _, _ = of_features(real, one_mode)
    assert precision > 0.9
    assert recall < 0.55
    half_wrong = np.concatenate([real[:100] + 0.05, real[100:] + 0.05, rng.normal(-30, 1, (200, 2))])
    precision, recall, _, _ = of_features(real, half_wrong)
    assert precision == pytest.approx(0.5, abs=0.05)
    assert recall > 0.9


def test_too_few_images():
    few = np.zeros((4, 2))
    with pytest.raises(ValueError, match="4 images are too few for 5 nearest neighbours"):
        of_features(few, few)


def test_density_and_coverage_agree_with_brute_force():
    rng = np.random.default_rng(0)
    real, generated, k = rng.normal(size=(30, 3)), rng.normal(size=(25, 3)) * 0.8 + 0.3, 4
    reach = [sorted(np.linalg.norm(r - other) for other in real)[k] for r in real]
    inside = np.array([[np.linalg.norm(r - g) <= far for g in generated] for r, far in zip(real, reach, strict=True)])
    _, _, density, coverage = of_features(real, generated, k)
    assert density == pytest.approx(inside.sum() / (k * len(generated)))
    assert coverage == pytest.approx(inside.any(1).mean())


def test_one_outlier_fools_precision_and_not_density():
    rng = np.random.default_rng(2)
    real = np.concatenate([rng.normal(0, 1, (100, 2)), [[30.0, 0]]])
    far = rng.normal((15, 0), 1, (100, 2))
    precision, _, density, coverage = of_features(real, far)
    assert precision == 1.0
    assert density < 0.3
    assert coverage < 0.05


def test_depth_ranks_the_middle_before_the_edge():
    real = np.random.default_rng(3).normal(size=(200, 2))
    order = np.argsort(-depth(real, np.array([[0.0, 0], [2.5, 0], [9, 0]])))
    assert order.tolist() == [0, 1, 2]
    assert len(depth(real[:3], real[:5])) == 5
