import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hqgan.data import open_data, split_of
from hqgan.errors import UserError
from hqgan.evaluation.audit import audit, warnings_of


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A data set as a folder, without lesions: every image is one."""
    data = open_data("demo:420", 64)
    root = tmp_path_factory.mktemp("data") / "photos"
    for name in data.classes:
        (root / name).mkdir(parents=True)
    for i, label in enumerate(data.labels):
        Image.fromarray(data.images[i]).save(root / data.classes[label] / f"{i:04d}.png")
    return root


def pretend(photos, side, folder):
    """Real images of one side of the split with seed 0, passed off as generated."""
    data = open_data(photos, 64)
    split = split_of(data, 0)
    rows = {"train": split.train, "held out": np.concatenate([split.validation, split.test])}[side]
    for i in rows:
        path = folder / data.files[i]
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / data.files[i], path)
    return folder


def test_the_training_set_passed_off_as_generated(photos, tmp_path):
    found = audit(pretend(photos, "train", tmp_path / "made"), str(photos), permutations=999)
    assert found["verdict"] == "copies"
    assert found["p_value"] < 0.01
    assert len(found["flagged"]) == found["generated"]
    assert found["sentence"].startswith(f"Copies: {found['generated']} generated images are training images again")
    rows = list(csv.DictReader((tmp_path / "made-audit" / "flagged.csv").read_text().splitlines()))
    assert rows[0]["why"] == "copy"
    assert rows[0]["training_file"] == rows[0]["file"]
    assert (tmp_path / "made-audit" / "closest-pairs.png").stat().st_size > 1000
    assert json.loads((tmp_path / "made-audit" / "audit.json").read_text()) == json.loads(json.dumps(found))
    assert next(row for row in found["memory"] if row["key"] == "authenticity_neutral")["value"] == 0


def test_held_out_images_passed_off_as_generated(photos, tmp_path):
    found = audit(pretend(photos, "held out", tmp_path / "made"), str(photos), permutations=999)
    assert found["verdict"] == "no evidence of copying"
    assert found["p_value"] > 0.5
    assert found["flagged"] == []
    assert not found["verified"]


def test_a_run_that_has_learnt_next_to_nothing(tiny_run, hqgan, tmp_path, monkeypatch):
    monkeypatch.setattr("hqgan.evaluation.audit.IMAGES", 100)
    monkeypatch.setattr("hqgan.evaluation.audit.LEAST", 10)
    monkeypatch.setattr("hqgan.metrics.copying.PERMUTATIONS", 199)
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    code, out, err = hqgan("audit", run, "--json", tmp_path / "a.json")
    assert code == 0, err
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["verdict"] == "no evidence of copying"
    assert 0 < found["p_value"] <= 1
    assert [row["attack"] for row in found["membership"]] == ["generator, black box", "critic"]
    assert all(0 <= row["control_auroc"] <= 1 for row in found["membership"])
    assert "No evidence of copying" in out
    assert (run / "audit" / "flagged.csv").exists()


def flag(path, rows, columns="file,class,latent_seed,checkpoint_sha256"):
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def test_flagged_images_are_left_out_and_others_take_their_places(hqgan, tiny_run, tmp_path):
    from hqgan.sampling.load import load

    hqgan("generate", tiny_run, "--class", "nevus=6", "--out", tmp_path / "all")
    manifest = list(csv.DictReader((tmp_path / "all" / "manifest.csv").read_text().splitlines()))
    sha = load(tiny_run).checkpoint_hash
    drop = flag(tmp_path / "flagged.csv", [f"{r['file']},nevus,{r['latent_seed']},{sha}" for r in manifest[1:3]])
    code, _, err = hqgan("generate", tiny_run, "--class", "nevus=4", "--drop-copies", drop, "--out", tmp_path / "kept")
    assert code == 0, err
    kept = [r["file"] for r in csv.DictReader((tmp_path / "kept" / "manifest.csv").read_text().splitlines())]
    assert kept == [manifest[i]["file"] for i in (0, 3, 4, 5)]
    for name in kept:
        assert (tmp_path / "kept" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    for path, words in (
        (flag(tmp_path / "other.csv", [f"x,nevus,{manifest[0]['latent_seed']},abc"]), "of another checkpoint"),
        (flag(tmp_path / "blank.csv", ["x,nevus,,"]), "filled in"),
        (flag(tmp_path / "wrong.csv", ["x,nevus"], "file,class"), "needs the columns"),
        (tmp_path / "nowhere.csv", "no list of images to drop"),
    ):
        code, _, err = hqgan(
            "generate", tiny_run, "--class", "nevus=1", "--drop-copies", path, "--out", tmp_path / "no"
        )
        assert code == 2
        assert words in err
        assert "Traceback" not in err
    assert not (tmp_path / "no").exists()


def test_bad_input(photos, tmp_path):
    with pytest.raises(UserError, match="no run or folder at"):
        audit(tmp_path / "nowhere", None)
    with pytest.raises(UserError, match="name the real images"):
        audit(photos, None)
    made = pretend(photos, "held out", tmp_path / "made")
    (made / "manifest.csv").write_text("nothing\nx\n")
    with pytest.raises(UserError, match=r"manifest .* cannot be read"):
        audit(made, str(photos))


def test_exact_copies_are_found_in_a_folder_of_small_images(tmp_path):
    """A folder of 32-pixel images is compared at 32 pixels: enlarged, copies would match nothing."""
    data = open_data("demo:160", 32, seed=0)
    split = split_of(data, 0)
    for i in split.train[:40]:
        path = tmp_path / "made" / data.files[i]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.images[i]).save(path)
    found = audit(tmp_path / "made", "demo:160", permutations=99)
    assert found["verdict"] == "copies"
    assert len(found["flagged"]) == 40


def test_nothing_to_compare_with_is_said(tmp_path):
    data = open_data("demo:160", 32, seed=0)
    (tmp_path / "made" / "nevus").mkdir(parents=True)
    Image.fromarray(data.images[0]).save(tmp_path / "made" / "nevus" / "0.png")
    only = split_of(data, 0)
    held = np.concatenate([only.validation, only.test])
    empty = held[data.labels[held] != data.classes.index("nevus")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hqgan.evaluation.real_images.split_of",
            lambda data, seed: dataclasses.replace(only, validation=empty[:0], test=empty),
        )
        with pytest.raises(UserError, match="nothing to compare it with"):
            audit(tmp_path / "made", "demo:160", permutations=9)


def attack(name, p, control_p):
    return {"attack": name, "auroc": 0.61, "p_value": p, "n": 100, "control_auroc": 0.57, "control_p_value": control_p}


def test_a_failed_control_and_a_successful_attack_are_warnings():
    found = warnings_of([attack("critic", 0.4, 0.021), attack("generator, black box", 0.0004, 0.3)])
    assert found == [
        "Warning: the control of the membership attack (critic) fails: it tells training images from training images "
        "(AUROC 0.570, p = 0.021), so its result proves nothing.",
        "Warning: the membership attack (generator, black box) recognises training images (AUROC 0.610, p = 0.0004).",
    ]
    assert warnings_of([attack("critic", 0.4, 0.3), attack("generator, black box", 0.006, 0.06)]) == []
