"""Going on with a run: only where there is one, and with the settings and the split that it was started with."""

import json
import shutil

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
