"""The report as a reader sees it: true axes, verdicts first, and nothing that runs over the edge."""

import json
import re
import shutil

import pytest


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
