"""The report as a reader sees it: true axes, verdicts first, and nothing that runs over the edge."""

import json
import re
import shlex
import shutil
import tarfile
from pathlib import Path

import pytest

OLD = Path(__file__).parents[1] / "old_files"
ADDRESS = "https://example.org/" + 30 * "weights-without-a-break-" + ".pth"


@pytest.fixture
def measured_run(tiny_run, tmp_path):
    """A run whose evaluations in training come closer to the simple baseline, from 6.4 times as far to 2.4."""
    run = shutil.copytree(tiny_run, tmp_path / "a run")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = next(line for line in reversed(lines) if line["kind"] == "evaluate")
    made = []
    for images, distance in ((1000, 6.4), (2000, 5.2), (3000, 4.1), (4000, 3.3), (5000, 2.4)):
        rows = [{**row, "value": distance, "normalised": distance, "reason": None} for row in last["rows"]]
        made.append({**last, "images": images, "rows": rows})
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, *made]))
    return run


def axis_labels(picture, axis):
    """The labels of an axis's ticks, in the order in which they stand."""
    ticks = re.findall(rf'<g id="{axis}tick_\d+">.*?</text>', picture, re.DOTALL)
    return [re.search(r">([^<]*)</text>", tick)[1].replace("\u2212", "-") for tick in ticks]


def test_the_ticks_of_an_axis_are_distinct_and_its_references_are_drawn(hqgan, measured_run, tmp_path):
    code, _, err = hqgan("report", measured_run, "--out", tmp_path / "page.html")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    picture = next(p for p in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "distance" in p)
    labels = axis_labels(picture, "y")
    assert len(labels) == len(set(labels)), labels
    assert {"0", "1", "2", "5"} <= set(labels)
    for reference in ("real vs. real", "simple baseline"):
        assert f">{reference}</text>" in picture


def test_a_report_of_an_unfinished_study_says_how_to_finish_it(hqgan, tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0}, raising=False)
    out = tmp_path / "a study"
    small = ("--generators", "pca-gaussian", "--uses", "mixed", "--ratios", 0.5, "--steps", 10, "--fill", "fibroma")
    code, _, err = hqgan("study", "--data", "demo:160", "--size", 32, "--seeds", 1, *small, "--out", out)
    assert code == 0, err
    finished = json.loads((out / "study.json").read_text())
    (out / "study.json").unlink()
    code, _, err = hqgan("report", out, "--out", tmp_path / "page.html")
    assert code == 2
    line = shlex.split(" ".join(err[err.index("hqgan study") :].split()))
    # The line as it stands finishes the study that was begun.
    code, _, err = hqgan(*line[1:])
    assert code == 0, err
    again = json.loads((out / "study.json").read_text())
    assert again["settings"] == finished["settings"]
    assert [arm["name"] for arm in again["arms"]] == [arm["name"] for arm in finished["arms"]]


def test_a_report_of_an_unfinished_comparison_says_how_to_finish_it(hqgan, tmp_path):
    settings = {"of": "compare", "data": ["demo:160"], "contestants": ["demo", "demo:generator.branch=mlp"], "seeds": 2,
                "size": 32, "kimg": 0.1, "seconds": None, "changes": {"training.batch": 8}, "images": None, "study": None,
                "device": "auto", "lengths": {}}  # fmt: skip
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "settings.json").write_text(json.dumps(settings))
    code, _, err = hqgan("report", tmp_path / "c", "--out", tmp_path / "page.html")
    assert code == 2
    assert f"hqgan compare --out {tmp_path}/c --data demo:160 --size 32 --presets demo demo:generator.branch=mlp" in err
    assert "--seeds 2 --kimg 0.1 --set training.batch=8" in err


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="the report is looked at by playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("there is no Chromium on this machine")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Open a page in a window of a width, all that is folded unfolded."""
    contexts = []

    def new(path, width):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 860}))
        page = contexts[-1].new_page()
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        return page

    yield new
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["run", "study", "compare"])
def test_nothing_runs_over_the_edge_of_a_phone(hqgan, opened, tmp_path, name):
    with tarfile.open(OLD / f"{name}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    for file in (tmp_path / name).glob("*.json"):
        text = file.read_text()
        file.write_text(
            text.replace("no weights: ", f"no weights: {ADDRESS} ").replace('"licence": "', f'"licence": "{ADDRESS} ')
        )
    code, _, err = hqgan("report", tmp_path / name, "--out", tmp_path / "page.html")
    assert code == 0, err
    page = opened(tmp_path / "page.html", 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # On a large screen the width is used.
    page = opened(tmp_path / "page.html", 1440)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    right = (
        "Math.max(...[...document.querySelectorAll('p, table, figure')].map((e) => e.getBoundingClientRect().right))"
    )
    assert page.evaluate(right) > 1300


def test_the_report_begins_with_its_verdicts_and_folds_the_details(hqgan, opened, tmp_path):
    with tarfile.open(OLD / "run.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    code, _, err = hqgan("report", tmp_path / "run", "--out", tmp_path / "page.html")
    assert code == 0, err
    page = opened(tmp_path / "page.html", 1440)
    text = page.inner_text("main")
    first_table = text.index("preset")
    assert re.search(r"\n(Worse|Too little variety|Not clearly better|Better|No verdict)", text[:first_table])
    assert re.search(r"\n(No evidence of copying|Copies)", text[:first_table])
    folded = page.inner_text("details")
    assert "precision" in folded.lower()
