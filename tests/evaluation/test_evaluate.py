"""`hqgan evaluate` as a whole: real images passed off as generated lie at the real reference, and rows keep their form."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hqgan.data import open_data, split_of

FIELDS = {"key", "class", "value", "low", "high", "real_reference", "n"}


@pytest.mark.slow
def test_one_half_of_the_real_data_against_the_other_is_the_real_reference(hqgan, tmp_path):
    data = open_data("demo:1400", 64)
    photos, half = tmp_path / "photos", tmp_path / "half"
    for i, label in enumerate(data.labels):
        path = photos / data.classes[label] / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.images[i]).save(path)
    real = open_data(photos, 64)
    split = split_of(real, 0)
    counts = np.bincount(real.labels[split.test], minlength=len(real.classes))
    for c, k in enumerate(counts):
        for i in split.train[real.labels[split.train] == c][:k]:
            (half / real.files[i]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(photos / real.files[i], half / real.files[i])
    code, out, err = hqgan("evaluate", half, "--data", photos, "--all", "--json", tmp_path / "m.json")
    assert code == 0, err
    rows = json.loads((tmp_path / "m.json").read_text())["metrics"]
    assert all(set(row) >= FIELDS for row in rows)
    normalised = {
        row["key"]: row["normalised"] for row in rows if row["class"] is None and row["normalised"] is not None
    }
    assert any(name == "fd_derm" for name in normalised)
    assert np.median(np.abs(list(normalised.values()))) < 0.1
    for name in ("ssim_within", "ssim_nearest"):
        row = next(row for row in rows if row["key"] == name and row["class"] is None)
        assert row["low"] - 0.03 <= row["real_reference"] <= row["high"] + 0.03
    assert "Not computed: FID" in out
    assert "Skin tone" in out


def test_a_run_s_evaluation_is_kept_and_says_what_is_missing(hqgan, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    code, out, err = hqgan("evaluate", run, "--all", "--json", tmp_path / "m.json")
    assert code == 0, err
    result = json.loads((tmp_path / "m.json").read_text())
    assert json.loads((run / "evaluation.json").read_text()) == result
    reasons = {row["key"]: row["reason"] for row in result["metrics"] if row["value"] is None}
    assert reasons["lpips_within"].startswith("no weights: give --weights alexnet=FILE")
    assert {row["of"] for row in result["geometry"]["jacobian"]} == {
        "image", "through the classical branch", "through the quantum branch",
    }  # fmt: skip
    assert "Latent geometry" in out
    code, _, err = hqgan("evaluate", run, "--weights", "inception")
    assert code == 2
    assert "--weights takes NAME=FILE, not 'inception'" in err


def test_a_folder_is_held_against_the_classes_that_are_asked_for(hqgan, tiny_run, tmp_path):
    assert hqgan("generate", tiny_run, "--class", "nevus=4", "--class", "fibroma=4", "--out", tmp_path / "made")[0] == 0
    (tmp_path / "made" / "fibroma").rename(tmp_path / "made" / "rare")
    shutil.rmtree(tmp_path / "made" / "basal", ignore_errors=True)
    choice = ("--classes", "nevus,rare", "--merge", "rare=fibroma,vascular")
    result = tmp_path / "m.json"
    code, _, err = hqgan("evaluate", tmp_path / "made", "--data", "demo:160", *choice, "--json", result)
    assert code == 0, err
    assert {row["class"] for row in json.loads(result.read_text())["metrics"]} == {None, "nevus", "rare"}
    for command in ("evaluate", "audit"):
        code, _, err = hqgan(command, tiny_run, *choice)
        assert code == 2
        assert "is a run, with its own classes; leave --classes" in err
