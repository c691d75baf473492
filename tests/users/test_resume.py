"""Going on with a run: only where there is one, and with the settings and the split that it was started with."""

import io
import json
import shutil
import zipfile

import pytest

import hqgan as package

SMALL = ("--data", "demo:60", "--preset", "demo", "--kimg", 0.008, "--set", "data.size=32", "--set", "training.batch=8")


@pytest.mark.parametrize("there", ["nothing", "an empty folder"])
def test_resume_where_there_is_no_run_is_refused(hqgan, tmp_path, there):
    out = tmp_path / "typo"
    if there != "nothing":
        out.mkdir()
    code, _, err = hqgan("train", "--out", out, "--resume", *SMALL)
    assert code == 2
    assert f"There is no run in {out}" in err
    assert "leave --resume away" in err
    assert not out.exists() or not list(out.iterdir())


def test_resume_where_there_is_no_run_is_refused_in_python_too(tmp_path):
    with pytest.raises(package.UserError, match="There is no run in"):
        package.train("demo:60", tmp_path / "typo", preset="demo", kimg=0.008, changes={"data.size": 32}, resume=True)
    assert not (tmp_path / "typo").exists()


def swapped(split):
    return {**split, "train": split["test"], "test": split["train"]}


def moved(split):
    """One lesion from the test part to the training part, and one of its class back: as many images as before."""
    lesions = {side: sorted({f.rsplit("-", 1)[0] for f in split[side]}) for side in ("train", "test")}
    views = {f.rsplit("-", 1)[0]: 0 for side in lesions for f in split[side]}
    for side in lesions:
        for file in split[side]:
            views[file.rsplit("-", 1)[0]] += 1
    here, there = next(
        (a, b)
        for a in lesions["train"]
        for b in lesions["test"]
        if a.split("/")[0] == b.split("/")[0] and views[a] == views[b]
    )
    out = dict(split)
    for side, gone, come in (("train", here, there), ("test", there, here)):
        other = "test" if side == "train" else "train"
        kept = [f for f in split[side] if not f.startswith(gone + "-")]
        out[side] = kept + [f for f in split[other] if f.startswith(come + "-")]
    return out


SPLITS = {
    "train and test swapped": (swapped, "was trained on another split"),
    "lesions exchanged": (moved, "was trained on another split"),
    "version 99": (lambda split: {**split, "version": 99}, "version 99"),
    "an empty side": (lambda split: {**split, "train": []}, "no image on the side train"),
    "no validation": (lambda split: {**split, "validation": []}, "no image on the side validation"),
}


@pytest.mark.parametrize("kind", SPLITS)
def test_a_split_that_is_not_the_runs_own_is_refused(hqgan, tiny_run, tmp_path, kind):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    change, words = SPLITS[kind]
    text = json.dumps(change(json.loads((run / "split.json").read_text())))
    (run / "split.json").write_text(text)
    before = (run / "metrics.jsonl").read_bytes()
    for command in (
        ("train", "--out", run, "--resume", "--kimg", 0.08),
        ("evaluate", run),
        ("export", run, tmp_path / "out"),
    ):
        code, _, err = hqgan(*command)
        assert code == 2, command
        assert words in err
        assert "Traceback" not in err
    assert (run / "split.json").read_text() == text
    assert (run / "metrics.jsonl").read_bytes() == before


def test_another_batch_and_rate_on_resume_are_told_in_run_json(hqgan, tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    more = ("--set", "training.batch=12", "--set", "training.lr_circuit=0.01", "--kimg", 0.1)
    code, _, err = hqgan("train", "--out", run, "--resume", *more)
    assert code == 2
    assert "--allow-change" in err
    old = json.loads((run / "config.json").read_text())["training"]["lr_circuit"]
    code, _, err = hqgan("train", "--out", run, "--resume", "--allow-change", *more)
    assert code == 0, err
    found = json.loads((run / "run.json").read_text())
    assert found["starts"][-1]["changed"] == {
        "training.batch": {"old": 8, "new": 12},
        "training.lr_circuit": {"old": old, "new": 0.01},
    }
    assert found["images"] == 64 + 3 * 12  # three steps more, which reach 100 images
    code, _, err = hqgan("train", "--out", run, "--resume", "--allow-change", "--set", "training.loss=hinge")
    assert code == 2
    assert "training.loss" in err


def test_truncation_makes_the_pages_images(hqgan, tiny_run, tmp_path):
    out = tmp_path / "out"
    code, _, err = hqgan("generate", tiny_run, "--class", "nevus=3", "--truncation", 0.5, "--seed", 4, "--out", out)
    assert code == 0, err
    from hqgan.serve.images import archive
    from hqgan.serve.runs import open_runs

    (served,) = open_runs([str(tiny_run)], None, "")
    with zipfile.ZipFile(io.BytesIO(archive(served, "nevus", 4, 3, 0.5))) as made:
        for name in ("nevus/nevus-00000.png", "nevus/nevus-00002.png", "manifest.csv"):
            assert made.read(name) == (out / name).read_bytes()
