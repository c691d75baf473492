"""Going on with a run: only where there is one, and with the settings and the split that it was started with."""

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
