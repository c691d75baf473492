"""Whole studies, as small as they go."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from calls import Calls
from hqgan.data import ALL_CLASSES, open_data, split_of
from hqgan.errors import UserError
from hqgan.experiments import splits
from hqgan.experiments.study import Settings, protocol, study, work
from hqgan.experiments.study.arms import Arm
from hqgan.experiments.study.classifiers import Recipe
from hqgan.experiments.study.results import as_json
from hqgan.runtime.processes import Shard
from hqgan.types import LabelledImages, Split

TINY = Settings(
    data="demo:160",
    size=32,
    seeds=(0, 1),
    generators=("pca-gaussian",),
    uses=("mixed", "balanced-mix"),
    ratios=(1.0,),
    fill=("fibroma", "vascular"),
    steps=10,
)


@pytest.fixture(scope="module", autouse=True)
def one_core():
    """Classifiers run on one thread, however many run side by side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "s"
    return out, study(TINY, out)


def test_what_a_study_says(finished):
    out, result = finished
    assert json.loads((out / "study.json").read_text()) == json.loads(json.dumps(as_json(result)))
    assert [row.name for row in result.arms] == [
        "real", "augmented", "oversampled", "weighted", "pca-gaussian-mixed-balance", "pca-gaussian-balanced-mix",
    ]  # fmt: skip
    for row in result.arms:
        assert row.seeds == [0, 1]
        assert len(row.balanced_accuracy) == 2
        assert row.low <= row.mean <= row.high
        assert row.mean == pytest.approx(np.mean(row.balanced_accuracy))
    by_name = {row.name: row for row in result.arms}
    assert by_name["real"].p_value_against_real_only is None
    best = result.best_classical[0].name
    assert by_name[best].p_value_against_best_classical is None
    assert by_name[best].mean == max(by_name[n].mean for n in ("real", "augmented", "oversampled", "weighted"))
    assert by_name["pca-gaussian-balanced-mix"].generated.keys() == set(result.rare)
    assert "No verdict: that takes 8 seeds, and this is 2." in result.sentences[0]
    assert not (out / "pools").exists()


def test_what_is_finished_is_not_done_again_and_more_seeds_are_added(finished, tmp_path, monkeypatch):
    out = tmp_path / "s"
    shutil.copytree(finished[0], out)
    ran = []
    plain = work.run
    monkeypatch.setattr(work, "run", lambda task: ran.append((task.seed, task.arm.name)) or plain(task))
    assert study(TINY, out) == finished[1]
    assert ran == []
    (out / "arms" / "seed1" / "small" / "weighted.json").unlink()
    study(dataclasses.replace(TINY, seeds=(0, 1, 2)), out)
    assert ran[0] == (1, "weighted")
    assert {seed for seed, _ in ran[1:]} == {2}


def test_what_was_finished_under_an_old_name_is_not_done_again(finished, tmp_path, monkeypatch):
    out = shutil.copytree(finished[0], tmp_path / "s")
    for path in list(out.glob("arms/*/small/*-balanced-mix.*")):
        old = path.with_name(path.name.replace("balanced-mix", "capped"))
        path.rename(old)
        if old.suffix == ".json":
            old.write_text(old.read_text().replace("balanced-mix", "capped"))
    monkeypatch.setattr(work, "run", lambda task: pytest.fail(f"{task.arm.name} is done again"))
    assert study(TINY, out) == finished[1]
    assert study(dataclasses.replace(TINY, uses=("mixed", "capped")), out) == finished[1]
    assert not list(out.glob("arms/*/small/*-balanced-mix.*"))


def test_a_study_that_was_stopped_goes_on_and_ends_the_same(finished, tmp_path):
    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(TINY, tmp_path / "s", reporter=Calls(classifiers=stop))
    assert study(TINY, tmp_path / "s") == finished[1]


@pytest.mark.slow
def test_side_by_side_is_the_same(finished, tmp_path):
    result = study(dataclasses.replace(TINY, jobs=2), tmp_path / "s")
    assert result.arms == finished[1].arms


def test_other_settings_are_refused(finished):
    with pytest.raises(UserError, match=r"differ in recipe\.steps: 10 / 12"):
        study(dataclasses.replace(TINY, steps=12), finished[0])
    with pytest.raises(UserError, match="holds a study of other data"):
        study(dataclasses.replace(TINY, data="demo:170"), finished[0])


def test_a_run_is_used_for_its_seed_and_refused_for_another_split(tiny_run, tmp_path):
    own = dataclasses.replace(
        TINY, seeds=(0,), generators=(), given=(str(tiny_run),), uses=("classifier-filtered", "density-filtered")
    )
    result = study(own, tmp_path / "s")
    source = result.generators[0]
    assert source.name == "demo"
    assert source.verified
    assert source.epochs == pytest.approx(64 / sum(result.data.training_images))
    with pytest.raises(UserError, match="data seed 0 and fraction 1, which this study does not have"):
        study(dataclasses.replace(own, seeds=(1,)), tmp_path / "t")
    with pytest.raises(UserError, match="no run of demo for seed1"):
        study(dataclasses.replace(own, seeds=(0, 1)), tmp_path / "t")
    other = tmp_path / "other"
    shutil.copytree(tiny_run, other)
    split = json.loads((other / "split.json").read_text())
    split["train"][0], split["test"][0] = split["test"][0], split["train"][0]
    (other / "split.json").write_text(json.dumps(split))
    with pytest.raises(UserError, match="leaks|another split"):
        study(dataclasses.replace(own, given=(str(other),)), tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_generated_copies_of_test_images_stop_the_study(tmp_path):
    data = open_data("demo:160", 32)
    split = split_of(data, 0)
    folder = tmp_path / "made"
    for c in (0, 4):
        (folder / data.classes[c]).mkdir(parents=True)
    # A good generated image, and one that is a patient of the test part.
    Image.fromarray(np.full((32, 32, 3), 120, np.uint8)).save(folder / data.classes[0] / "0.png")
    stolen = split.test[data.labels[split.test] == 4][0]
    Image.fromarray(data.images[stolen][:, ::-1]).save(folder / data.classes[4] / "0.png")
    settings = dataclasses.replace(
        TINY,
        seeds=(0,),
        generators=(),
        given=(str(folder),),
        uses=("mixed",),
        fill=(data.classes[0], data.classes[4]),
    )
    with pytest.raises(UserError, match=f"The study leaks: the image by made, {data.classes[4]} number"):
        study(settings, tmp_path / "s")


def test_one_lesion_on_both_sides_stops_the_study(tmp_path, monkeypatch):
    def leaking(data, seed, fraction=1.0):
        split = split_of(data, seed, fraction)
        moved = np.flatnonzero(data.groups == data.groups[split.test[0]])[:1]
        return Split(np.sort(np.concatenate([split.train, moved])), split.validation, split.test)

    monkeypatch.setattr(splits, "split_of", leaking)
    with pytest.raises(UserError, match="The split leaks: group"):
        study(TINY, tmp_path / "s")


def test_the_same_picture_under_two_names_stops_the_study(tmp_path):
    data = open_data("demo:160", 32)
    for c in range(2):
        (tmp_path / "photos" / data.classes[c]).mkdir(parents=True)
        for i in np.flatnonzero(data.labels == c)[:12]:
            Image.fromarray(data.images[i]).save(tmp_path / "photos" / data.classes[c] / f"{i}.png")
    settings = dataclasses.replace(TINY, data=str(tmp_path / "photos"), fill=(data.classes[1],), generators=())
    photos = open_data(str(tmp_path / "photos"), 32)
    split = split_of(photos, 0)
    again = photos.images[split.test[0]]
    for i in range(8):  # some of them fall on the training side
        # Turned, since a picture that is upright twice is one group already.
        copy = np.rot90(np.clip(again.astype(int) + i % 3, 0, 255).astype(np.uint8), 1 + i % 3)
        Image.fromarray(copy).save(tmp_path / "photos" / data.classes[0] / f"copy{i}.png")
    with pytest.raises(UserError, match="The study leaks: the training image"):
        study(settings, tmp_path / "s")


def task(use, pool):
    return work.Task(
        result=pool.parent / "x.json", data=("demo:160", 32, 0, ALL_CLASSES), seed=0, fraction=1.0, rare=(4,),
        arm=Arm(use, "white"), recipe=Recipe(steps=10, batch=64), pool=pool, source="",
        fingerprint="", split="", weights=None, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def white_pool(tmp_path_factory):
    """A pool of white images, which no real image looks like."""
    labels = np.repeat(np.arange(7), 40)
    stem = tmp_path_factory.mktemp("pool") / "white"
    work.save_pool(LabelledImages(np.full((len(labels), 32, 32, 3), 255, np.uint8), labels), stem)
    np.save(work.scores_file(stem, "classifier-filtered"), np.arange(len(labels)) % 2 == 0)
    np.save(work.scores_file(stem, "density-filtered"), np.arange(len(labels)) % 5)
    return stem


def shown(use, pool, steps):
    data = open_data("demo:160", 32)
    draw, given = work.training_images(task(use, pool), data, split_of(data, 0))
    batches = [draw(step) for step in range(steps)]
    labels = np.concatenate([y for _, y in batches])
    return [(x == 255).all((1, 2, 3)) for x, _ in batches], labels, given


def test_what_each_use_shows(white_pool):
    white, labels, _ = shown("balanced-mix", white_pool, 40)
    white = np.concatenate(white)
    assert not white[labels != 4].any()
    assert white[labels == 4].mean() == pytest.approx(0.25, abs=0.06)
    assert np.bincount(labels) == pytest.approx(np.full(7, len(labels) / 7), rel=0.2)
    white, labels, given = shown("only", white_pool, 5)
    assert np.concatenate(white).all()
    assert len(given) == 7
    white, _, _ = shown("pretrain", white_pool, 10)
    assert [bool(w.all()) for w in white] == [True] * 3 + [False] * 7
    white, labels, given = shown("mixed", white_pool, 40)
    white = np.concatenate(white)
    assert 0 < white[labels == 4].mean() < 1
    assert not white[labels != 4].any()
    _, _, agreed = shown("classifier-filtered", white_pool, 1)
    assert sum(agreed.values()) <= sum(given.values())


def test_filters_take_what_agrees_and_what_lies_deepest(white_pool):
    counts = np.array([30, 30, 30, 30, 4, 30, 30])
    labels = np.repeat(np.arange(7), 40)
    agreed = work.chosen(task("classifier-filtered", white_pool), labels, counts)
    assert (agreed % 2 == 0).all()
    assert (labels[agreed] == 4).all()
    dense = work.chosen(task("density-filtered", white_pool), labels, counts)
    assert (np.sort(dense % 5)[::-1][:8] == 4).all()
    assert len(dense) == round(counts.mean()) - 4


def test_generators_are_trained_on_their_own_seed_and_fraction_and_once(tmp_path, monkeypatch):
    settings = dataclasses.replace(
        TINY, seeds=(1,), generators=("demo",), kimg=0.016, uses=("mixed",), fractions=(0.5,)
    )
    result = study(settings, tmp_path / "s")
    run = tmp_path / "s" / "generators" / "demo-seed1-fraction0.5"
    config = json.loads((run / "config.json").read_text())
    assert (config["data"]["seed"], config["data"]["fraction"], config["training"]["seed"]) == (1, 0.5, 1)
    train = json.loads((run / "split.json").read_text())["train"]
    assert len(train) == sum(result.data.training_images) < 0.7 * sum(result.data.test_images) / 0.2
    monkeypatch.setattr("hqgan.run.train.train", lambda *a, **k: pytest.fail("trained again"))
    assert study(settings, tmp_path / "s") == result
    with pytest.raises(UserError, match=r"trained with other settings .*training\.kimg"):
        study(dataclasses.replace(settings, kimg=0.032), tmp_path / "s")


def test_another_split_of_the_same_images_is_not_mixed_in(finished, tmp_path, monkeypatch):
    """Lesions joined since make another split; a finished arm's answers would belong to other images."""
    out = shutil.copytree(finished[0], tmp_path / "s")
    monkeypatch.setattr(splits, "split_of", lambda data, seed, fraction=1.0: split_of(data, seed + 7, fraction))
    with pytest.raises(UserError, match="made with other settings .* differ in split"):
        study(TINY, out)


def test_answers_that_are_not_those_of_their_json_are_refused(finished, tmp_path):
    out = shutil.copytree(finished[0], tmp_path / "s")
    path = out / "arms" / "seed1" / "small" / "real.npy"
    np.save(path, np.load(path)[::-1])
    with pytest.raises(UserError, match=r"real\.npy does not belong to real\.json"):
        study(TINY, out)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(UserError, match=r"real\.json is damaged"):
        study(TINY, out)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 50}, "have 32 or 64 pixels, not 50"),
        ({"fractions": (0.0,)}, "`fractions` 0 is outside"),
        ({"given": ("nowhere",)}, "no run or folder at nowhere"),
    ],
)
def test_settings_that_cannot_work(changes, words, tmp_path):
    with pytest.raises(UserError, match=words):
        study(dataclasses.replace(TINY, **changes), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def folder_of(data, path, classes):
    for name in classes:
        (path / name).mkdir(parents=True)
        Image.fromarray(np.full((32, 32, 3), 130, np.uint8)).save(path / name / "0.png")
    return str(path)


def test_folders_that_cannot_work(tmp_path):
    data = open_data("demo:160", 32)
    own = dataclasses.replace(TINY, seeds=(0,), generators=(), uses=("mixed",))
    common = folder_of(data, tmp_path / "common", ["nevus"])
    with pytest.raises(UserError, match="has no image of fibroma and vascular"):
        study(dataclasses.replace(own, given=(common,)), tmp_path / "s")
    for name in ("dcgan", "pca-gaussian"):
        taken = folder_of(data, tmp_path / name, ["fibroma"])
        with pytest.raises(UserError, match=f"would have the name '{name}'"):
            study(dataclasses.replace(own, given=(taken,)), tmp_path / "t")
    twice = [folder_of(data, tmp_path / place / "made", ["fibroma"]) for place in "ab"]
    with pytest.raises(UserError, match="would have the name 'made'"):
        study(dataclasses.replace(own, given=tuple(twice)), tmp_path / "t")


def test_processes_share_the_seeds_and_the_last_one_sums_up(finished, tmp_path):
    said = []
    assert study(TINY, tmp_path / "s", reporter=Calls(said.append), share=Shard(1, 2)) is None
    assert {path.parent.parent.name for path in (tmp_path / "s").glob("arms/*/small/*.json")} == {"seed1"}
    assert study(TINY, tmp_path / "s", share=Shard(0, 2)) == finished[1]
    assert json.loads((tmp_path / "s" / "study.json").read_text()) == json.loads(json.dumps(as_json(finished[1])))
    assert study(TINY, tmp_path / "s") == finished[1]
