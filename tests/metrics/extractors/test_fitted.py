import json

import numpy as np
import pytest
from synthetic import data_of, lesions

from hqgan.errors import UserError
from hqgan.metrics.extractors import networks, prototypes
from hqgan.metrics.extractors.extractor import extract
from hqgan.metrics.extractors.fitted import load_extractors
from hqgan.metrics.extractors.prototypes import train_proto

NAMES = ["derm", "early", "middle", "late", "untrained", "laplacian"]


def test_extractors_give_features_and_share_their_backbone(views, held_out):
    images, _ = held_out
    assert [view.name for view in views] == NAMES
    assert len({view.hash for view in views}) == len(views)
    together = extract(views, images[:9])
    for view in views:
        alone = view(images[:9])
        assert alone.dtype == np.float32
        assert alone.shape == (9, view.width * (16 if view.kind == "patches" else 1))
        np.testing.assert_array_equal(alone, together[view.name])
        # An image's features do not depend on those beside it.
        np.testing.assert_allclose(view(images[3:4])[0], alone[3], rtol=1e-4, atol=1e-4)


def test_a_second_call_takes_the_cache(views, train_set, views_cache, monkeypatch):
    images, _ = train_set
    monkeypatch.setattr(networks, "train_network", lambda *a: pytest.fail("trained again"))
    again = load_extractors(data_of(*train_set, "made up"), np.arange(len(train_set)), views_cache)
    assert [v.hash for v in again] == [v.hash for v in views]
    np.testing.assert_array_equal(again[0](images[:5]), views[0](images[:5]))
    (recipe,) = views_cache.glob("views-*.json")
    assert json.loads(recipe.read_text())["fingerprint"] == "made up"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(networks, "_STEPS", (4, 4))


def test_the_key_is_the_data_and_the_training_indices(quick, tmp_path):
    images = lesions((40, 30, 10), seed=3)
    every, some = np.arange(80), np.arange(79)
    first = load_extractors(data_of(*images), every, tmp_path)
    for fingerprint, train in (("b", every), ("a", some)):
        load_extractors(data_of(*images, fingerprint), train, tmp_path)
    assert len(list(tmp_path.glob("views-*.safetensors"))) == 3
    # Trained twice, the same; and a cache cut short is made again.
    for path in tmp_path.glob("views-*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    second = load_extractors(data_of(*images), every, tmp_path)
    assert [v.hash for v in first] == [v.hash for v in second]


def test_only_training_images_are_looked_at(quick, tmp_path):
    images, labels = lesions((40, 30, 10), seed=3)
    train = np.arange(0, 80, 2)
    blacked = images.copy()
    blacked[1::2] = 0
    a = load_extractors(data_of(images, labels), train, tmp_path / "a")
    b = load_extractors(data_of(blacked, labels), train, tmp_path / "b")
    assert [v.hash for v in a] == [v.hash for v in b]


def test_proto_gives_class_means_and_is_no_extractor(quick, tmp_path, monkeypatch):
    data = data_of(*lesions((40, 30, 10), seed=3), classes=4)
    means = train_proto(data, np.arange(80), tmp_path)
    assert means.shape == (4, 1280)
    assert means.dtype == np.float32
    np.testing.assert_allclose(means[3], np.average(means[:3], 0, [40, 30, 10]), rtol=1e-3, atol=1e-5)
    assert np.linalg.norm(means[0] - means[2]) > 0
    monkeypatch.setattr(prototypes, "train_network", lambda *a: pytest.fail("trained again"))
    np.testing.assert_array_equal(train_proto(data, np.arange(80), tmp_path), means)
    assert "proto" not in NAMES


def test_sizes_that_cannot_be_judged(tmp_path):
    images, labels = lesions((4, 4, 4), seed=0, size=16)
    with pytest.raises(UserError, match="32 pixels or more, a multiple of 4; these have 16"):
        load_extractors(data_of(images, labels), np.arange(12), tmp_path)
