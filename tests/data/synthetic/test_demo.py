"""The procedural data set: equal seeds give equal pictures, and the classes can be distinguished."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hqgan.data import check_leaks, open_data, split_by_group
from hqgan.data.synthetic import demo
from hqgan.data.synthetic.lesions import LESIONS
from hqgan.errors import UserError
from hqgan.types import ImageData


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    return open_data("demo:280", 32, cache=tmp_path_factory.mktemp("cache"))


def test_seven_classes_with_a_long_tail(data: ImageData) -> None:
    assert data.name == "demo"
    assert data.classes == tuple(sorted(LESIONS))
    assert len(data) == 280
    counts = np.bincount(data.labels)
    assert counts.max() > 0.5 * len(data)
    assert counts.min() == 6
    assert data.licence == "procedural, no patients; Apache-2.0"
    assert len(set(data.files.tolist())) == 280


def test_lesions_have_views_and_every_side_gets_every_class(data: ImageData) -> None:
    _, sizes = np.unique(data.groups, return_counts=True)
    assert set(sizes.tolist()) == {1, 2, 3}
    split = split_by_group(data.labels, data.groups, 0)
    check_leaks(split, data.groups)
    for side in (split.train, split.validation, split.test):
        assert set(data.labels[side].tolist()) == set(range(7))


def test_same_seed_same_bytes_in_another_process(data: ImageData, tmp_path: Path) -> None:
    code = f"from hqgan.data import open_data; print(open_data('demo:280', 32, cache={str(tmp_path)!r}).fingerprint)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == data.fingerprint
    assert open_data("demo:42", 8, seed=1).fingerprint != open_data("demo:42", 8, seed=2).fingerprint


def test_a_picture_depends_on_its_numbers_only(data: ImageData) -> None:
    for i in (0, 100, 279):
        kind, lesion, view = re.fullmatch(r"(\w+)/(\d+)-([abc])\.png", data.files[i]).groups()  # type: ignore[union-attr]
        assert (demo.paint(kind, 0, int(lesion), "abc".index(view), 32) == data.images[i]).all()


def test_pictures_are_colour_and_all_different(data: ImageData) -> None:
    assert len(np.unique(np.asarray(data.images).reshape(280, -1), axis=0)) == 280
    assert np.asarray(data.images, float).std((1, 2)).min() > 3
    assert (np.asarray(data.images[..., 0], float) > np.asarray(data.images[..., 2], float)).mean() > 0.9


def test_views_of_a_lesion_are_alike_but_not_equal() -> None:
    one = [demo.paint("melanoma", 0, 3, view, 32).astype(float) for view in range(3)]
    assert all(np.abs(one[i] - one[i - 1]).mean() > 4 for i in range(3))
    colours = [image.mean((0, 1)) for image in one]
    assert np.abs(colours[0] - colours[1]).max() < 40


def test_classes_can_be_distinguished() -> None:
    """Nearest class mean in a few colour and texture figures, on lesions not used for the means."""

    def figures(image: np.ndarray) -> np.ndarray:
        image = image.astype(float)
        centre, rim = image[10:22, 10:22], image[[0, 1, -2, -1]]
        edges = np.abs(np.diff(image, axis=0)).mean((0, 1))
        return np.concatenate([centre.mean((0, 1)) - rim.mean((0, 1)), centre.std((0, 1)), edges, centre.mean((0, 1))])

    table = np.array([[figures(demo.paint(kind, 5, i, 0, 32)) for i in range(24)] for kind in LESIONS])
    table = (table - table.mean((0, 1))) / table.std((0, 1))
    means = table[:, :12].mean(1)
    guesses = ((table[:, 12:, None] - means) ** 2).sum(-1).argmin(-1)
    assert (guesses == np.arange(7)[:, None]).mean() > 0.6


@pytest.mark.parametrize("size", [8, 9, 64, 100])
def test_any_size(size: int) -> None:
    for kind in LESIONS:
        assert demo.paint(kind, 0, 0, 0, size).shape == (size, size, 3)


@pytest.mark.parametrize("path", ["demo:", "demo:x", "demo:-5", "demo:41", "demo:²", "demo:99999999999", "demo:1e3"])
def test_odd_counts(path: str) -> None:
    with pytest.raises(UserError, match="write demo:COUNT with 42 to 10,000,000"):
        open_data(path)


def test_a_folder_named_demo_can_be_reached(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.rename(tree.parent / "demo")
    monkeypatch.chdir(tree.parent)
    assert open_data("./demo", 16).name == "folder"
    assert demo.count_of("demo") == demo.DEFAULT_COUNT
    assert demo.count_of("demons") is None
