"""Whole comparisons, as small as they go."""

import dataclasses
import json
import shutil
from unittest.mock import Mock

import numpy as np
import pytest

from calls import Calls
from hqgan.data import open_data
from hqgan.errors import UserError
from hqgan.evaluation.evaluate import evaluate
from hqgan.experiments.compare import Settings, compare, grid, hours, summary
from hqgan.experiments.compare.contestants import data_folder, parse
from hqgan.experiments.compare.measure import cell_of, curve, distances_of
from hqgan.experiments.compare.results import CurvePoint, TimeTo, as_json, result_from_json
from hqgan.experiments.tables import hours_table
from hqgan.report.write import write_comparison, write_report
from hqgan.reporter import SILENT
from hqgan.run import train as runs

MLP = "demo:generator.branch=mlp"


def folder_of(result):
    return result.data[0].folder


@pytest.fixture(scope="module")
def settings(tiny_changes):
    own = {"training.kimg", "training.evaluate_kimg", "data.path", "data.size"}
    changes = {k: v for k, v in tiny_changes.items() if k not in own}
    return Settings(data=("demo:700",), contestants=("demo", MLP), seeds=2, size=32, kimg=0.096, changes=changes)


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "c"
    return out, compare(settings, out)


def test_what_a_comparison_says(finished):
    out, result = finished
    assert json.loads((out / "compare.json").read_text()) == json.loads(json.dumps(as_json(result)))
    assert result_from_json(json.loads((out / "compare.json").read_text())).data == result.data
    one = result.data[0]
    assert {row.name for row in one.leaderboard} == {"demo", MLP}
    means = [row.distance.mean for row in one.leaderboard]
    assert means == sorted(means)
    for row in one.leaderboard:
        assert row.distance.low <= row.distance.mean <= row.distance.high
        assert row.distance.mean == pytest.approx(np.mean(list(row.by_seed.values())))
        assert row.images == 96
        assert len(one.curves[row.name]) == 6
    board = {row.name: row for row in one.leaderboard}
    assert board["demo"].quantum_parameters > 0
    assert board[MLP].quantum_parameters == 0
    pair = one.pairs[0]
    assert (pair.name, pair.against, pair.seeds) == ("demo", MLP, 2)
    assert pair.mean == pytest.approx(board["demo"].distance.mean - board[MLP].distance.mean)
    assert "No verdict" in one.sentences[0]
    assert (out / "pictures" / f"{one.folder}.png").exists()


def test_a_distance_is_what_evaluate_measures(finished):
    out, result = finished
    run = parse("demo").run_path(out, folder_of(result), 1)
    rows = evaluate(run, "demo:700", 1).metrics
    extractors = result.data[0].extractors
    assert extractors
    board = {row.name: row for row in result.data[0].leaderboard}
    assert board["demo"].by_seed["1"] == pytest.approx(np.mean([distances_of(rows)[v] for v in extractors]))


def test_halves_are_the_same_for_all_contestants_and_keep_lesions_whole(finished, settings):
    data, split = (cell := cell_of("demo:700", 0, settings, None, SILENT)).data, cell.split
    groups = data.groups[split.test[cell.evaluator.rows]]
    for half in cell.halves[:5]:
        out = np.setdiff1d(np.arange(len(groups)), half)
        assert not set(groups[half]) & set(groups[out])
    again = cell_of("demo:700", 0, settings, None, SILENT)
    assert all((a == b).all() for a, b in zip(cell.halves, again.halves, strict=True))


def test_what_is_finished_is_not_done_again_and_seeds_are_added(finished, tmp_path, monkeypatch, settings):
    out = tmp_path / "c"
    shutil.copytree(finished[0], out)
    trained, measured = [], []
    train, measure = runs.train, grid.measure
    monkeypatch.setattr(runs, "train", lambda config, path, **k: trained.append(path.name) or train(config, path, **k))
    monkeypatch.setattr(grid, "measure", lambda one, run, cell: measured.append(run.name) or measure(one, run, cell))
    assert compare(settings, out) == finished[1]
    assert (trained, measured) == ([], [])
    other = dataclasses.replace(settings, changes={**settings.changes, "training.lr_critic": 1e-3})
    with pytest.raises(UserError, match="trained with other settings"):
        compare(other, out)
    folder = folder_of(finished[1])
    shutil.rmtree(parse(MLP).run_path(out, folder, 1))
    parse("demo").result_path(out, folder, 1).unlink()
    again = compare(settings, out)
    assert trained == ["demo-generator.branch-mlp-seed1"]
    assert measured == ["demo-seed1"]  # the other's weights are the same as before
    assert again.data[0].pairs == finished[1].data[0].pairs


def test_a_backend_shares_the_run_and_differs_by_its_shots(finished, tmp_path, settings):
    out = tmp_path / "c"
    shutil.copytree(finished[0], out)
    asked = dataclasses.replace(settings, contestants=("demo", "demo@aer,4"), seeds=1, images=100)
    result = compare(asked, out)
    board = {row.name: row for row in result.data[0].leaderboard}
    assert board["demo"].checkpoints == board["demo@aer,4"].checkpoints
    assert board["demo"].distance.mean != board["demo@aer,4"].distance.mean
    assert board["demo@aer,4"].seconds_to[0].seconds is None
    assert not list(out.glob("runs/*/demo-aer-4-seed0"))


def test_seconds_become_images_once(tmp_path, monkeypatch, settings):
    asked = dataclasses.replace(settings, contestants=("demo",), seeds=1, kimg=None, seconds=1.0)
    monkeypatch.setattr(grid, "seconds_per_step", lambda *a: 0.1)
    first = compare(asked, tmp_path / "c")
    assert first.settings["lengths"] == {"demo": 0.08}
    assert first.data[0].leaderboard[0].images == 80
    monkeypatch.setattr(grid, "seconds_per_step", lambda *a: 0.2)
    # Another budget in between does not lose what the seconds came to.
    compare(dataclasses.replace(asked, seconds=None, kimg=0.08), tmp_path / "c")
    assert compare(asked, tmp_path / "c") == first


def test_hours_count_what_is_left(finished, monkeypatch, settings):
    monkeypatch.setattr(grid, "seconds_per_step", lambda *a: 3.0)
    rows = hours(dataclasses.replace(settings, seeds=3), finished[0])
    assert [(row.name, row.runs, row.done) for row in rows] == [
        ("demo", 3, 2),
        ("demo-generator.branch-mlp", 3, 2),
    ]
    assert rows[0].hours == pytest.approx(12 * 3.0 / 3600)
    assert "0.0 hours" in hours_table(rows)[1]


def test_a_curve_has_images_and_seconds(finished):
    points = curve(parse("demo").run_path(finished[0], folder_of(finished[1]), 0))
    assert [p.images for p in points] == [16, 32, 48, 64, 80, 96]
    seconds = [p.seconds for p in points]
    assert seconds == sorted(seconds)


def test_pages(finished, tmp_path):
    out, _ = finished
    write_comparison(out / "compare.json", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    for words in ("Leaderboard", "Paired tests", "All metrics", "data:image/png", "PCA-Gaussian", "Protocol"):
        assert words in page
    write_report([out], tmp_path / "report.html")
    assert "Comparison: c" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("text", ["{", "[]", '{"of": "study"}'])
def test_a_folder_of_something_else_is_refused(tmp_path, text, settings):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(UserError, match="choose another `out`"):
        compare(settings, tmp_path)


def test_data_of_one_name_have_folders_of_their_own(finished, settings):
    folders = [data_folder(open_data(f"demo:{n}", 32)) for n in (160, 161)]
    assert folders[0] != folders[1]
    with pytest.raises(UserError, match="hold the same images"):
        compare(dataclasses.replace(settings, data=("demo:700", "demo:0700")), finished[0])


def test_a_run_on_another_split_is_refused(finished, tmp_path, settings):
    out = tmp_path / "c"
    shutil.copytree(finished[0], out)
    runs_ = out / "runs" / folder_of(finished[1])
    shutil.copy(runs_ / "demo-seed1" / "split.json", runs_ / "demo-seed0" / "split.json")
    with pytest.raises(UserError, match="was made for other data"):
        compare(settings, out)


def test_the_study_follows_with_the_runs(finished, tmp_path, settings, monkeypatch):
    out = tmp_path / "c"
    shutil.copytree(finished[0], out)
    asked = []
    monkeypatch.setattr(grid.studies, "study", lambda settings, path, **k: asked.append((settings, path)))
    study = {"uses": ("mixed",), "ratios": (1.0,)}
    with pytest.raises(UserError, match="presets without changes"):
        compare(dataclasses.replace(settings, study=study), out)
    result = compare(dataclasses.replace(settings, contestants=("demo",), study=study), out)
    ((given, path),) = asked
    assert path == out / "study" / folder_of(result)
    assert (given.data, given.size, given.seeds, given.uses) == ("demo:700", 32, (0, 1), ("mixed",))
    assert [studies_name(p) for p in given.given] == ["demo-seed0", "demo-seed1"]
    from hqgan.experiments.study.cells import cell_of as study_cell

    assert study_cell(dataclasses.replace(given, fill=("fibroma",)), 0, 1.0, path, None).runs.keys() == {"demo"}


def studies_name(path):
    return path.rsplit("/", 1)[1]


def test_files_of_others_are_left_alone(tmp_path, settings):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not a comparison's"):
        compare(settings, tmp_path)


def test_a_damaged_result_is_one_sentence(finished, tmp_path, settings):
    out = tmp_path / "c"
    shutil.copytree(finished[0], out)
    parse("demo").result_path(out, folder_of(finished[1]), 0).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        compare(settings, out)


def test_seconds_to_a_distance_are_known_if_most_runs_came_there():
    def one(*points):
        result = Mock()
        result.curve = [CurvePoint(10 * i, float(i), {"derm": d}) for i, d in enumerate(points)]
        return result

    runs_ = [one(2.0, 1.2, 0.9), one(1.5, 0.8, 1.1), one(3.0, 2.5, 2.0)]
    assert summary.seconds_to(runs_, 1.0, ["derm"]) == TimeTo(1.0, seconds=2.0, images=20.0, reached=2, runs=3)
    assert summary.seconds_to(runs_, 0.85, ["derm"]) == TimeTo(0.85, seconds=None, images=None, reached=1, runs=3)


def test_the_command(tmp_path, hqgan, settings):
    changes = [part for k, v in settings.changes.items() for part in ("--set", f"{k}={json.dumps(v)}")]
    command = ["compare", "--data", "demo:700", "--presets", "demo", MLP, "--seeds", 1, "--kimg", 0.048, "--size", 32,
               *changes, "--out", tmp_path / "c"]  # fmt: skip
    code, out, _ = hqgan(*command, "--dry-run")
    assert code == 0
    assert "hours of training in all" in out
    assert not (tmp_path / "c").exists()
    code, out, _ = hqgan(*command, "--json", tmp_path / "x.json")
    assert code == 0
    assert "No verdict" in out
    assert (tmp_path / "c" / "compare.html").exists()
    assert json.loads((tmp_path / "x.json").read_text())["data"][0]["name"] == "demo"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--kimg", 1, "--seconds", 5), "two budgets"),
        (("--small",), "a size of a --suite"),
        (("--suite", "papers"), "no suite"),
        (("--size", 48), "32 or 64"),
        (("--presets", "hqgan", "--set", "training.bacth=3"), "training.bacth"),
    ],
)
def test_bad_options_are_one_sentence(options, sentence, tmp_path, hqgan):
    code, _, err = hqgan("compare", "--out", tmp_path / "c", *options)
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "c").exists()


def test_data_sets_that_share_images_are_said_to():
    from types import SimpleNamespace

    from hqgan.experiments.compare.grid import _warn_of_overlaps

    data = open_data("demo:60", 32)
    cells = {
        "a": SimpleNamespace(data=data),
        "b": SimpleNamespace(data=dataclasses.replace(data, labels=data.labels[:40], images=data.images[20:])),
    }
    said = []
    _warn_of_overlaps(cells, Calls(said.append))
    assert said == ["40 images of the 40 in b are also in a: results on the two are not independent"]
