import json
from dataclasses import replace

import numpy as np
import pytest
from synthetic import lesions

from hqgan.metrics.evaluator import Comparison, Evaluator, evaluate
from hqgan.metrics.extractor_check import check_extractors
from hqgan.metrics.record import rows_from_json
from hqgan.metrics.subsampling import largest_mix, proportional

CLASSES = ("round", "wide", "rare")


@pytest.fixture(scope="module")
def judge(views, train_set, held_out):
    return Evaluator(views, held_out, train_set, CLASSES)


def by_name(rows):
    return {(row.key, row.class_name): row for row in rows}


def test_real_images_lie_at_the_floor_and_noise_beyond_the_bar(judge):
    rows = judge(*lesions((170, 120, 12), seed=7))
    assert rows_from_json(json.loads(json.dumps([row.as_json() for row in rows], allow_nan=False))) == rows
    table = by_name(rows)
    real = table["fd_derm", None]
    assert real.n == judge.n == 302
    assert real.low <= real.value <= real.high
    assert abs(real.normalised) < 0.15
    rng = np.random.default_rng(0)
    bad = by_name(judge(rng.integers(0, 256, (302, 32, 32, 3), np.uint8), judge.labels))
    for name in ("fd_derm", "kd_untrained", "swd_laplacian", "precision_derm"):
        assert bad[name, None].normalised > 1
    assert bad["recall_derm", None].value < 0.1
    assert bad["kd_derm", "wide"].normalised > 1


def test_a_class_too_small_is_a_row_with_a_reason(judge):
    row = by_name(judge(*lesions((170, 120, 12), seed=7)))["kd_derm", "rare"]
    assert row.value is None
    assert row.reason == "12 images of rare are too few; 20 are needed on each side"
    assert row.n == 12


def test_a_class_not_generated_leaves_the_others(views, train_set, held_out):
    table = by_name(evaluate(Comparison(lesions((200, 60, 0), seed=8), held_out, train_set, CLASSES), views[:1]))
    row = table["fd_derm", None]
    assert row.value is None
    assert "too few images of wide, rare for the class mix of 302 real images" in row.reason
    assert table["kd_derm", "wide"].n == 60
    assert table["kd_derm", "wide"].value is not None


def test_fewer_images_are_compared_in_the_real_class_mix(views, train_set, held_out):
    table = by_name(evaluate(Comparison(lesions((100, 100, 100), seed=9), held_out, train_set, CLASSES), views[:1]))
    row = table["kd_derm", None]  # 100 of the 170 round ones, so 302 * 100 / 170 in all
    assert 170 < row.n < 180
    assert row.value is not None
    assert table["kd_derm", "wide"].n == 100


def test_equal_seeds_give_equal_rows(views, train_set, held_out):
    images, labels = lesions((170, 120, 12), seed=7)

    real = held_out.at(np.arange(0, len(held_out), 4))

    def rows(seed):
        return Evaluator(views[:1], real, train_set, CLASSES, seed=seed)(images, labels)

    first = rows(1)
    assert first == rows(1)
    assert (first[1].key, first[1].n) == ("kd_derm", 76)
    assert first[1].value != rows(2)[1].value


def test_smaller_counts_keep_the_class_mix():
    np.testing.assert_array_equal(proportional(np.array([70, 20, 10]), 30), [21, 6, 3])
    np.testing.assert_array_equal(largest_mix(np.array([35, 20, 10]), np.array([70, 20, 10])), [35, 10, 5])
    np.testing.assert_array_equal(largest_mix(np.array([35, 0, 10]), np.array([70, 20, 10])), [0, 0, 0])
    np.testing.assert_array_equal(proportional(np.array([5, 0, 3]), 100), [5, 0, 3])
    assert proportional(np.array([1, 1, 1]), 2).sum() == 2


def test_check_extractors_on_textured_lesions(views, train_set, held_out):
    derm = views[0]
    blind = replace(derm, name="blind", project=lambda raw: np.random.default_rng(len(raw)).normal(size=(len(raw), 8)))
    rows = check_extractors([derm, views[-1], blind], train_set, held_out)
    json.dumps([row.as_json() for row in rows], allow_nan=False)
    assert [(row.extractor, row.distance) for row in rows] == [
        ("derm", "fd"),
        ("derm", "kd"),
        ("laplacian", "swd"),
        ("blind", "fd"),
        ("blind", "kd"),
    ]
    for row in rows:
        assert row.passed == (not row.reasons)
        assert len(row.corruptions["blur"]) == 4
    for row in rows[:3]:
        assert row.baseline > row.real_reference + 3 * row.noise
    for row in rows[3:]:
        assert any("clearly exceed the real reference" in reason for reason in row.reasons)
    kernel = rows[1]
    assert [p.normalised for p in kernel.corruptions["classes_swapped"]] == [None] * 4
    for name in ("blur", "noise", "brightness", "hue"):
        values = [p.value for p in kernel.corruptions[name]]
        assert values[-1] > values[0]
        assert values[-1] > kernel.real_reference + 3 * kernel.noise


def test_too_few_images_to_check_with_say_so(views, train_set, held_out):
    rows = check_extractors(views[:1], train_set, held_out.at(np.r_[0:60, 170:200]))
    assert rows[0].real_reference is None
    assert not rows[0].passed
    assert "images are too few for a Fréchet distance in 64 features" in rows[0].reasons[0]
    assert rows[1].real_reference is not None
