import numpy as np
import pytest

from hqgan.metrics import skin
from hqgan.types import LabelledImages


def test_lab_of_known_colours():
    # Bruce Lindbloom's calculator, sRGB, D65.
    known = {(255, 0, 0): (53.24, 80.09, 67.20), (0, 0, 255): (32.30, 79.19, -107.86), (255, 255, 255): (100, 0, 0),
             (119, 119, 119): (50.03, 0, 0)}  # fmt: skip
    assert skin.lab(np.array(list(known))) == pytest.approx(np.array(list(known.values())), abs=0.03)


def test_the_angle_is_of_the_border_and_falls_as_skin_darkens():
    tones = np.array([[240, 215, 200], [224, 184, 160], [190, 140, 105], [130, 85, 60], [70, 45, 35]], np.uint8)
    images = np.broadcast_to(tones[:, None, None], (5, 32, 32, 3)).copy()
    plain = skin.typology_angle(images)
    assert (np.diff(plain) < 0).all()
    assert plain[0] > 55
    assert plain[-1] < -30
    images[:, 8:24, 8:24] = 0  # a lesion
    assert (skin.typology_angle(images) == plain).all()


def test_the_report_says_how_far_apart_and_warns():
    rng = np.random.default_rng(0)
    real = rng.normal((224, 184, 160), 8, (80, 1, 1, 3)).clip(0, 255).astype(np.uint8).repeat(16, 1).repeat(16, 2)
    labels = np.repeat([0, 1], 40)
    held_out = LabelledImages(real, labels)
    same = skin.report(LabelledImages(real[::-1], labels), held_out, ("a", "b"), 0)
    assert same["rows"][0]["generated"] == same["rows"][0]["real"]
    assert same["rows"][0]["low"] <= 0 <= same["rows"][0]["high"]
    darker = skin.report(LabelledImages((real * 0.7).astype(np.uint8), labels), held_out, ("a", "b", "c"), 0)
    assert darker["rows"][0]["high"] < 0
    assert [row["class"] for row in darker["rows"]] == [None, "a", "b"]
    assert sum(x for x, _ in darker["rows"][0]["groups"].values()) == pytest.approx(1)
    assert "neither ethnicity nor fairness" in skin.sentences(darker)[0]
