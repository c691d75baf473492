import json
import tarfile
from pathlib import Path

import pytest

from hqgan.experiments.compare.results import result_from_json
from hqgan.experiments.study.results import as_json, from_json

OLD = Path(__file__).parents[2] / "old_files"


def stored(name):
    with tarfile.open(OLD / f"{name}.tar.xz") as archive:
        return json.load(archive.extractfile(f"{name}/{name}.json"))


def test_an_old_study_is_read_with_the_names_of_today():
    values = stored("study")
    result = from_json(values)
    assert [row.use for row in result.arms if row.generator == "hqgan"] == [
        "mixed", "balanced-mix", "classifier-filtered", "density-filtered", "pretrain", "only"]  # fmt: skip
    assert "hqgan-balanced-mix" in {row.name for row in result.arms}
    assert [row.mean for row in result.arms] == [row["mean"] for row in values["arms"]]
    assert result.sentences[0].startswith("No verdict: that takes 8 seeds, and this is 1.")
    assert from_json(json.loads(json.dumps(as_json(result)))) == result


def test_an_old_comparison_is_read():
    values = stored("compare")
    (one,) = result_from_json(values).data
    assert one.extractors == values["data"][0]["views"]
    assert [row.distance.mean for row in one.leaderboard] == [
        row["distance"]["mean"] for row in values["data"][0]["leaderboard"]]  # fmt: skip
    assert {metric.distance for row in one.leaderboard for metric in row.metrics} >= {"kd", "swd"}


def test_what_is_no_result_is_refused():
    for values in ({"data": {}, "arms": []}, {**stored("study"), "arms": [{"use": "mixed"}]}):
        with pytest.raises(ValueError, match="validation error"):
            from_json(values)
