import json
import re
import shutil

import pytest

from hqgan.metrics.record import MetricRow
from hqgan.report.blocks import Section, Table, Text, write_page


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """A run with an audit and an evaluation made up in the form that the commands write."""
    out = tmp_path_factory.mktemp("report") / "my run"
    shutil.copytree(tiny_run, out)
    row = MetricRow("fd", "derm", value=2.5, low=2.0, high=3.0, real_reference=1.0, baseline=9.0, normalised=0.2, n=32)
    missing = MetricRow("fd", "inception", reason="no weights: give --weights")
    spectrum = {"of": "image", "effective_rank": 3.0, "low": 2.5, "high": 3.5, "dimensions": 4, "norm": 1.0, "share": None,
                "n": 8, "spectrum": [2.0, 1.0, 0.5, 0.1]}  # fmt: skip
    skin = {"class": None, "generated": 60.0, "real": 55.0, "low": 1.0, "high": 9.0, "n": [3, 3], "groups": {}}
    (out / "evaluation.json").write_text(json.dumps({
        "metrics": [row.as_json(), missing.as_json()], "skin": {"rows": [skin], "warning": "Read with care"},
        "geometry": {"jacobian": [spectrum], "interpolation": {"evenness": 0.7, "detour": 1.3, "n": 2}},
    }))  # fmt: skip
    (out / "audit").mkdir()
    (out / "audit" / "audit.json").write_text(json.dumps({
        "sentence": "No evidence of copying: <b>none</b>.", "verified": True, "flagged": ["a.png"],
        "nearest": [{"space": "pixels", "class": None, "share": 0.5, "p_value": 0.4, "n": 9, "lesions": 7}],
        "membership": [{"attack": "critic", "auroc": 0.5, "p_value": 0.4, "n": 9, "control_auroc": 0.5}],
        "memory": [{"name": "authenticity_neutral", "value": 0.5, "floor": 0.5, "n": 9}],
    }))  # fmt: skip
    return out


def test_a_page_of_runs_needs_nothing_else(hqgan, run, tiny_run, tmp_path):
    other = shutil.copytree(tiny_run, tmp_path / "other")
    code, _, err = hqgan("report", run, other, "-o", tmp_path / "page.html")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    expected = (
        "Comparison of runs",
        "Run: my run",
        "Copying audit: my run",
        "FD (derm)",
        "[2, 3]",
        "effective rank",
    )
    for words in (
        *expected,
        "Not computed: FID",
        "Read with care",
        "my run: circuit",
        "&#34;preset&#34;: &#34;demo&#34;",
    ):
        assert words in page, words
    assert "No evidence of copying: &lt;b&gt;none&lt;/b&gt;." in page
    # Nothing is fetched: no script, no link to a file, every picture inside.
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "data:image/png;base64," in page
    assert "Before you share" not in page
    ids = re.findall(r'<h[23] id="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_real_images_only_when_asked_for_and_with_a_warning(hqgan, run, tmp_path):
    hqgan("report", run, "-o", tmp_path / "plain.html")
    code, _, err = hqgan("report", run, "-o", tmp_path / "real.html", "--real")
    assert code == 0, err
    plain, real = (tmp_path / "plain.html").read_text(), (tmp_path / "real.html").read_text()
    assert "real training images on the left" in real
    assert "It shows images of real patients" in real
    assert "real training images on the left" not in plain


def test_a_study_and_a_run_on_one_page(hqgan, run, tmp_path, monkeypatch):
    monkeypatch.setattr("hqgan.experiments.study.protocol.cores", lambda: 1)
    small = ("--data", "demo:160", "--size", 32, "--generators", "pca-gaussian", "--uses", "mixed", "--steps", 10)
    lists = ("--seeds", 2, "--ratios", 0.5, 1, "--fill", "fibroma", "vascular")
    code, _, err = hqgan("study", *small, *lists, "--out", tmp_path / "s", "--json", tmp_path / "s.json")
    assert code == 0, err
    names = [row["name"] for row in json.loads((tmp_path / "s.json").read_text())["arms"]]
    assert names[4:] == ["pca-gaussian-mixed-50%", "pca-gaussian-mixed-balance"]
    page = (tmp_path / "s" / "study.html").read_text()
    assert "Do generated images of fibroma, vascular in training improve a classifier" in page
    assert "The mean class size is 16 images" in page
    code, _, err = hqgan("report", run, tmp_path / "s", "-o", tmp_path / "both.html")
    assert code == 0, err
    assert "Study: s" in (tmp_path / "both.html").read_text()


def test_bad_input(hqgan, run, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ((tmp_path / "nowhere", "-o", tmp_path / "p.html"), "no folder"),
        (
            (tmp_path / "empty", "-o", tmp_path / "p.html"),
            "not the folder of a run, a finished study or comparison, or an audit",
        ),
        ((run, "-o", tmp_path / "empty"), "cannot be written"),
    ):
        code, _, err = hqgan("report", *arguments)
        assert code == 2
        assert words in err
        assert "Traceback" not in err
    assert not (tmp_path / "p.html").exists()


def test_text_is_escaped(tmp_path):
    evil = '<script>alert("x")</script>'
    write_page(tmp_path / "p.html", evil, evil, [Section(evil, [Text(evil), Table([evil], [[evil]], evil)])])
    assert "<script" not in (tmp_path / "p.html").read_text()
