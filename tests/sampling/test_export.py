"""The exported folder, as torchvision, timm and Hugging Face datasets read it."""

import csv
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calls import Calls
from hqgan.errors import UserError
from hqgan.evaluation.real_images import data_of
from hqgan.sampling import export as exporting
from hqgan.sampling.dataset import lacking
from hqgan.sampling.images import numbered
from hqgan.sampling.load import load


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    """A balanced folder, the model, its data and its split."""
    out = tmp_path_factory.mktemp("export") / "out"
    loaded = load(tiny_run)
    data, split = data_of(loaded, None)
    counts = lacking(data.labels[split.train], data.classes)
    found = exporting.export(loaded, data, split, None, numbered(data.classes, counts, 0), out)
    return out, loaded, data, split, found


def rows_of(out, side):
    with (out / side / "metadata.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_counts_and_pixels(exported):
    out, _, data, split, found = exported
    most = np.bincount(data.labels[split.train]).max()
    assert {name: sum(n) for name, n in found["train"].items()} == dict.fromkeys(data.classes, most)
    for side in ("train", "validation", "test"):
        rows = rows_of(out, side)
        assert sorted(p.relative_to(out / side).as_posix() for p in (out / side).glob("*/*")) == sorted(
            row["file_name"] for row in rows
        )
        real = [row for row in rows if row["source"] == "real"]
        part = getattr(split, side)
        assert [row["origin"] for row in real] == [f"file:{file}" for file in data.files[part]]
        assert [row["group"] for row in real] == [f"group:{group}" for group in data.groups[part]]
        assert [row["label"] for row in real] == [data.classes[i] for i in data.labels[part]]
        with Image.open(out / side / real[0]["file_name"]) as image:
            assert np.array_equal(np.asarray(image), data.images[part[0]])
    assert {row["source"] for row in rows_of(out, "validation") + rows_of(out, "test")} == {"real"}
    assert (out / "MODEL_CARD.md").exists()
    assert not [p for p in out.parent.iterdir() if p != out]


def test_torchvision_reads_it(exported):
    ImageFolder = import_module("torchvision.datasets").ImageFolder
    out, _, data, _, found = exported
    for side, counts in found.items():
        folder = ImageFolder(str(out / side))
        assert folder.classes == sorted(data.classes)
        seen = np.bincount(folder.targets, minlength=len(folder.classes))
        assert {name: int(n) for name, n in zip(folder.classes, seen, strict=True)} == {
            name: sum(n) for name, n in counts.items()
        }


# Some readers leave files for the collector to close.
leaves_files_open = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@leaves_files_open
def test_timm_reads_it(exported):
    create_dataset = import_module("timm.data").create_dataset
    out, _, _, _, found = exported
    for split, side in (("train", "train"), ("validation", "validation")):
        dataset = create_dataset("", root=str(out), split=split)
        assert len(dataset) == sum(sum(n) for n in found[side].values())
        image, label = dataset[0]
        with image:
            assert image.size == (32, 32)
        assert 0 <= label < len(found[side])


@leaves_files_open
def test_hugging_face_datasets_reads_it(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    out, _, _, _, found = exported
    sets = load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path))
    assert set(sets) == set(found)
    for side, counts in found.items():
        labels = sets[side]["label"]
        assert {name: list(labels).count(name) for name in counts} == {name: sum(n) for name, n in counts.items()}
    generated = [row for row in sets["train"] if row["source"] == "generated"]
    assert len(generated) == sum(n for _, n in found["train"].values())
    assert generated[0]["image"].size == (32, 32)


@pytest.mark.parametrize("how", ["copy", "link"])
def test_originals_are_copied_or_linked(folder_run, how, tmp_path, hqgan):
    run, source = folder_run
    before = {p: p.read_bytes() for p in source.rglob("*.png")}
    code, out, _ = hqgan("export", run, tmp_path / "out", "--originals", how, "--class", "a=2")
    assert code == 0
    assert "can distinguish them by sharpness" in out
    rows = rows_of(tmp_path / "out", "train")
    assert [row["source"] for row in rows].count("generated") == 2
    real = next(row for row in rows if row["source"] == "real")
    path = tmp_path / "out" / "train" / real["file_name"]
    assert path.is_symlink() == (how == "link")
    assert path.read_bytes() == (source / real["origin"].removeprefix("file:")).read_bytes()
    assert {p: p.read_bytes() for p in source.rglob("*.png")} == before


@pytest.fixture(scope="module")
def folder_run(tiny_changes, tmp_path_factory):
    """A run on a class-per-folder tree, and the tree."""
    from hqgan.config import preset
    from hqgan.run.train import train

    source = tmp_path_factory.mktemp("tree")
    rng = np.random.default_rng(0)
    for name, count in (("a", 20), ("b", 40)):
        (source / name).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(source / name / f"{i}.png")
    config = preset("demo", {**tiny_changes, "data.path": str(source), "training.kimg": 0.016})
    return train(config, tmp_path_factory.mktemp("runs") / "folder"), source


def test_the_command_balances_and_says_so(tiny_run, hqgan, tmp_path):
    code, out, _ = hqgan("export", tiny_run, "--balanced", tmp_path / "out")
    assert code == 0
    assert "train, generated" in out
    assert "Test on real images only" in out


def test_bad_input_leaves_nothing(exported, tiny_run, hqgan, tmp_path):
    _, loaded, data, split, _ = exported
    code, _, err = hqgan("export", tiny_run, tmp_path / "out", "--balanced", "--class", "nevus=3")
    assert (code, "give one of them" in err) == (2, True)
    code, _, err = hqgan("export", tiny_run, tmp_path / "out", "--originals", "copy")
    assert (code, "no image files to copy" in err) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    code, _, err = hqgan("export", tiny_run, tmp_path / "full")
    assert (code, "holds files already" in err) == (2, True)
    taken = []

    def take(done, total):
        if not taken:
            taken.append((tmp_path / "out").mkdir() or (tmp_path / "out" / "theirs.txt").write_text("theirs"))

    with pytest.raises(UserError, match="holds files already"):
        exporting.export(loaded, data, split, None, [], tmp_path / "out", reporter=Calls(exporting=take))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["theirs.txt"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_an_empty_folder_may_be_there_and_names_may_be_no_text(exported, tmp_path, monkeypatch):
    import dataclasses

    _, loaded, data, split, _ = exported
    odd = dataclasses.replace(data, files=np.array([f"{i}-\udcff.png" for i in range(len(data))]))
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    exporting.export(loaded, odd, split, None, [], Path("here"))
    assert rows_of(Path("here"), "test")[0]["origin"] == f"file:{split.test[0]}-\\udcff.png"


def test_stopped_half_way_nothing_is_left(exported, tmp_path):
    _, loaded, data, split, _ = exported

    def stop(done, total):
        if done == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exporting.export(loaded, data, split, None, [], tmp_path / "out", reporter=Calls(exporting=stop))
    assert not list(tmp_path.iterdir())


def test_a_class_without_an_image_on_a_side_keeps_its_number(exported, tmp_path, hqgan, tiny_run, monkeypatch):
    import dataclasses

    ImageFolder = import_module("torchvision.datasets").ImageFolder
    _, loaded, data, split, _ = exported
    gone = data.classes.index("fibroma")
    bare = dataclasses.replace(split, validation=split.validation[data.labels[split.validation] != gone])
    exporting.export(loaded, data, bare, None, [], tmp_path / "out")
    numbers = [
        ImageFolder(str(tmp_path / "out" / side), allow_empty=True).class_to_idx for side in ("train", "validation")
    ]
    assert numbers[0] == numbers[1]
    monkeypatch.setattr("hqgan.evaluation.real_images.data_of", lambda *arguments: (data, bare))
    code, _, err = hqgan("export", tiny_run, tmp_path / "told")
    assert (code, "no image of fibroma (validation)" in err) == (0, True)


def test_into_the_data_or_through_a_link(folder_run, exported, tmp_path):
    run, source = folder_run
    loaded = load(run)
    data, split = data_of(loaded, None)
    with pytest.raises(UserError, match="lies in the data's own folder"):
        exporting.export(loaded, data, split, source, [], source / "mix")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    exporting.export(loaded, data, split, source, [], tmp_path / "link")
    assert (tmp_path / "there" / "train" / "metadata.csv").exists()
