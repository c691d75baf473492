"""`import hqgan`: five lines from data to images."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import hqgan as package
from hqgan.errors import UserError


@pytest.fixture(scope="module")
def model(tiny_run):
    return package.load(tiny_run)


def test_images_are_those_of_the_command(model, tiny_run, hqgan, tmp_path):
    from PIL import Image

    images, labels = model.generate({"nevus": 2, "fibroma": 1}, seed=3)
    assert [model.classes[i] for i in labels] == ["fibroma", "nevus", "nevus"]
    assert images.shape == (3, 32, 32, 3)
    assert hqgan("generate", tiny_run, "--class", "nevus=2", "--seed", 3, "--out", tmp_path / "out")[0] == 0
    with Image.open(tmp_path / "out" / "nevus" / "nevus-00001.png") as image:
        assert np.array_equal(np.asarray(image), images[2])
    manifest = model.save(np.int64(2), tmp_path / "saved", seed=3)
    assert len(manifest.read_text().splitlines()) == 1 + 2 * len(model.classes)


@pytest.mark.parametrize(
    ("counts", "words"),
    [({}, "Nothing to generate"), (0, "Nothing"), ({"x": 1}, "no class 'x'"), ({"nevus": 2.5}, "whole numbers")],
)
def test_bad_counts(model, counts, words):
    with pytest.raises(UserError, match=words):
        model.generate(counts)


def test_augmented_images_are_a_torch_data_set(model):
    data, split = model.data()
    images = model.augmented(data, split.train, seed=1)
    counts = np.bincount(images.labels)
    assert set(counts.tolist()) == {np.bincount(data.labels[split.train]).max()}
    assert not images.generated[: len(split.train)].any()
    assert images.generated[len(split.train) :].all()
    made, label = images[len(images) - 1]
    assert torch.equal(made, images[-1][0])
    name = model.classes[label]
    own, _ = model.generate({name: int(images.generated[images.labels == label].sum())}, seed=1)
    assert np.array_equal((made.permute(1, 2, 0) * 255).round().byte().numpy(), own[-1])
    real, label = images[0]
    assert np.array_equal((real.permute(1, 2, 0) * 255).round().byte().numpy(), data.images[split.train[0]])
    batch, labels = next(iter(DataLoader(images, batch_size=8)))
    assert (batch.shape, labels.dtype) == ((8, 3, 32, 32), torch.int64)
    with pytest.raises(IndexError):
        images[len(images)]


def test_augmented_images_take_a_transform_of_pictures(model):
    data, split = model.data()
    images = model.augmented(data, split.train, {"nevus": 1}, transform=lambda x: x.size)
    assert images[0][0] == images[-1][0] == (32, 32)


def test_another_size_or_other_classes_are_a_sentence(model):
    data = package.open_data("demo:160", 64)
    rows = np.arange(10)
    with pytest.raises(UserError, match="open the data at the generator's size"):
        model.augmented(data, rows)
    with pytest.raises(UserError, match="There is no class 'x'"):
        model.augmented(model.data()[0], rows, {"x": 1})
    with pytest.raises(UserError, match="flatnonzero"):
        model.augmented(model.data()[0], rows > 3)
    for odd in ([1.5], [-1], [10**6], [[0]]):
        with pytest.raises(UserError, match="Rows are whole numbers from 0 to 159"):
            model.augmented(model.data()[0], np.array(odd))
    for count in (1.5, -1):
        with pytest.raises(UserError, match="counted in whole numbers"):
            model.augmented(model.data()[0], rows, {"nevus": count})


def test_the_example_in_the_docstring(tmp_path, monkeypatch):
    from hqgan import api

    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(api)
    assert (result.failed, result.attempted >= 5) == (0, True)


def test_importing_the_package_is_light():
    code = "import sys, hqgan; assert 'open_data' in dir(hqgan); assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_a_reporter_receives_messages_and_progress(tiny_changes, tmp_path):
    class Heard(package.Reporter):
        def __init__(self):
            self.messages, self.images = [], []

        def message(self, text):
            self.messages.append(text)

        def progress(self, task, done, total, unit="images"):
            if task == "training":
                self.images.append((done, total))

    changes = {k: v for k, v in tiny_changes.items() if k not in ("data.path", "training.kimg")}
    heard = Heard()
    package.train("demo:160", tmp_path / "run", preset="demo", kimg=0.016, changes=changes, verbose=heard)
    assert heard.images == [(8, 16), (16, 16)]
    assert heard.messages
