import numpy as np

from hqgan.metrics import modes
from hqgan.metrics.evaluator import Comparison
from hqgan.metrics.extractors.extractor import FeatureExtractor
from hqgan.types import LabelledImages


def found(made, labels, real, train):
    derm = FeatureExtractor("derm", "hash", "features", "derm", np.asarray, np.asarray, 6)
    sides = (LabelledImages(x, np.resize(labels, len(x))) for x in (made, real, train))
    rows = modes.mode_rows(derm, Comparison(*sides, ("a", "b")))
    assert [(row.key, row.n) for row in rows] == [("ndb_derm", 400), ("near_duplicates_derm", 400)]
    for row in rows:
        assert 0 <= row.low <= row.value <= row.high <= 1
    return [(row.value, row.real_reference) for row in rows]


def test_collapsed_modes_are_seen_and_fresh_images_are_not():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)

    def draw(n=400):
        centres = np.repeat(rng.integers(0, 8, n)[:, None], 6, 1) * np.array([2, 0, 0, 0, 0, 0])
        return rng.normal(size=(n, 6)) + centres

    train, real = draw(1500), draw()
    (ndb, floor), (twins, twins_floor) = found(draw(), labels, real, train)
    assert abs(ndb - floor) < 0.12
    assert twins < 0.05
    assert twins_floor == 0.01
    collapsed = draw(40).repeat(10, 0) + 0.01 * rng.normal(size=(400, 6))
    (ndb, floor), (twins, _) = found(collapsed, labels, real, train)
    assert ndb > floor + 0.3
    assert twins > 0.9
