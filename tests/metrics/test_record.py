import json

import pytest

from hqgan.metrics.record import MetricRow, from_json


def old(name, view, **more):
    """A row as the tree of commit 7cff2e3 wrote it."""
    row = {"name": name, "view": view, "class": None, "value": 2.5, "low": 2.0, "high": 3.0, "floor": 1.0, "bar": 9.0,
           "normalised": 0.1875, "n": 1198, "reason": None, "seed": 3, "hash": "ab"}  # fmt: skip
    return row | more


def test_a_row_survives_json():
    row = MetricRow("kd", "early", "nevus", 0.5, 0.4, 0.6, 0.1, 0.9, 0.5, 40, None, 7, "ab", "cd")
    values = json.loads(json.dumps(row.as_json()))
    assert (values["key"], values["class"]) == ("kd_early", "nevus")
    assert from_json(values) == row


@pytest.mark.parametrize(
    ("name", "view", "key", "label"),
    [
        ("frechet_derm_1k2", "derm", "fd_derm", "FD (derm)"),
        ("kernel_early_600", "early", "kd_early", "KD (early)"),
        ("sliced_laplacian_1k", "laplacian", "swd_laplacian", "SWD (laplacian)"),
        ("coverage_untrained_76", "untrained", "coverage_untrained", "Coverage (untrained)"),
        ("fid_inception_5k", "inception", "fid_inception", "FID"),
        ("kid_inception", None, "kid_inception", "KID"),
        ("frechet_dinov2", None, "fd_dinov2", "FD (dinov2)"),
        ("inception_score_950", "inception", "inception_score", "Inception score"),
        ("inception_score", None, "inception_score", "Inception score"),
        ("twins_derm_60", "derm", "near_duplicates_derm", "Near-duplicate rate (derm)"),
        ("ms_ssim3_nearest", "pixels", "ms_ssim3_nearest", "MS-SSIM to the nearest real image (3 scales)"),
        ("lpips_within", None, "lpips_within", "LPIPS within a class"),
        ("mifid_neutral", None, "mifid_neutral", "MiFID (neutral)"),
    ],
)
def test_rows_of_the_first_format_are_read(name, view, key, label):
    row = from_json(old(name, view, **{"class": "nevus"}))
    assert (row.key, row.label, row.class_name) == (key, label, "nevus")
    assert (row.real_reference, row.baseline, row.extractor_hash) == (1.0, 9.0, "ab")
    assert (row.n, row.seed, row.low, row.high) == (1198, 3, 2.0, 3.0)
    assert from_json(row.as_json()) == row


@pytest.mark.parametrize(
    "row",
    [1, None, {}, {"name": 3}, old("kernel_derm_9", "derm", value="x"), old("kernel_derm_9", "derm", n=None),
     old("kernel_derm_9", ["derm"]), {"distance": "kd", "value": True}],
)  # fmt: skip
def test_what_is_no_row_is_refused(row):
    with pytest.raises(ValueError, match="row"):
        from_json(row)
