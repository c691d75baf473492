"""Splits: grouped, stratified, deterministic, noticed when the data change."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.data import check_leaks, load_split, open_data, save_split, split_by_group, subsample_groups
from hqgan.errors import UserError
from hqgan.types import ImageData, Split


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Groups of one to four images in up to five classes, some with mixed labels, in random order."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=60))
    classes = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    labels = np.repeat(rng.integers(classes, size=len(sizes)), sizes)
    mixed = rng.random(len(labels)) < draw(st.sampled_from([0.0, 0.1]))
    labels[mixed] = rng.integers(classes, size=mixed.sum())
    order = rng.permutation(len(labels))
    return labels[order], groups[order]


@settings(max_examples=150, deadline=None)
@given(labelled_groups(), st.integers(0, 5))
def test_split_is_a_partition_without_leaks(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    labels, groups = data
    split = split_by_group(labels, groups, seed)
    every = np.concatenate([split.train, split.validation, split.test])
    assert sorted(every.tolist()) == list(range(len(labels)))
    for side in (split.train, split.validation, split.test):
        assert (np.diff(side) > 0).all()
        assert side.dtype == np.int64
    check_leaks(split, groups)
    again = split_by_group(labels, groups, seed)
    assert all((getattr(again, side) == getattr(split, side)).all() for side in ("train", "validation", "test"))


@settings(max_examples=100, deadline=None)
@given(labelled_groups(), st.integers(0, 5))
def test_each_class_of_three_pure_groups_is_on_every_side(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    labels, groups = data
    names, first = np.unique(groups, return_index=True)
    labels = labels[first][np.searchsorted(names, groups)]
    split = split_by_group(labels, groups, seed)
    for label in np.unique(labels):
        if len(set(groups[labels == label])) >= 3:
            for side in (split.train, split.validation, split.test):
                assert (labels[side] == label).any()


def test_fractions_hold_for_each_class() -> None:
    labels = np.repeat([0, 1, 2], [6700, 1100, 115])
    groups = np.arange(len(labels)) // 2
    split = split_by_group(labels, groups.astype(str), seed=3)
    for label, count in enumerate([6700, 1100, 115]):
        for side, fraction in ((split.train, 0.7), (split.validation, 0.1), (split.test, 0.2)):
            assert abs((labels[side] == label).sum() - fraction * count) <= 2


def test_seeds_differ_and_group_names_do_not_matter() -> None:
    labels, groups = np.repeat([0, 1], 50), np.arange(100).astype(str)
    split = split_by_group(labels, groups, 0)
    assert (split.test != split_by_group(labels, groups, 1).test).any()
    assert (split.test == split_by_group(labels, np.array([f"x{name}" for name in groups[::-1]]), 0).test).all()


def test_small_classes_and_empty_sides() -> None:
    split = split_by_group(np.array([0, 1, 1]), np.array(["a", "b", "c"]), 0)
    assert 0 in split.train
    assert len(split.validation) == 0
    assert len(split.test) == 1
    whole = split_by_group(np.zeros(10, int), np.arange(10).astype(str), 0, (0.8, 0.0, 0.2))
    assert [len(side) for side in (whole.train, whole.validation, whole.test)] == [8, 0, 2]
    with pytest.raises(ValueError, match="sum to 1"):
        split_by_group(np.zeros(10, int), np.arange(10).astype(str), 0, (0.8, 0.1, 0.2))


def test_a_leak_is_named() -> None:
    groups = np.array(["a", "a", "b", "c"])
    split = Split(np.array([0]), np.array([1, 2]), np.array([3]))
    with pytest.raises(UserError, match="group 'a' is in train and in validation"):
        check_leaks(split, groups)


@pytest.fixture
def data(tree: Path) -> ImageData:
    return open_data(tree, 16)


def test_split_survives_the_disk(data: ImageData, tmp_path: Path) -> None:
    split = split_by_group(data.labels, data.groups, 0)
    save_split(tmp_path / "split.json", split, data)
    back = load_split(tmp_path / "split.json", data)
    assert all((getattr(back, side) == getattr(split, side)).all() for side in ("train", "validation", "test"))
    assert [path.name for path in tmp_path.glob("*split*")] == ["split.json"]


def test_changed_data_are_noticed(data: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    save_split(path, split_by_group(data.labels, data.groups, 0), data)
    groups = data.groups.copy()
    groups[0] = groups[1]
    for other in (
        dataclasses.replace(data, groups=groups),
        dataclasses.replace(data, labels=data.labels[::-1]),
        dataclasses.replace(data, files=data.files[::-1]),
    ):
        with pytest.raises(UserError, match="made for other data"):
            load_split(path, other)


def test_a_split_that_leaks_is_refused(data: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    data = dataclasses.replace(data, groups=np.repeat(["a", "b"], 10), group_of=np.repeat([0, 1], 10))
    save_split(path, Split(np.array([0]), np.array([1]), np.array([2])), data)
    with pytest.raises(UserError, match="leaks: group 'a' is in train and in validation"):
        load_split(path, data)


def test_the_split_of_many_images_is_packed(data: ImageData, tmp_path: Path, monkeypatch) -> None:
    split = subsample_groups(split_by_group(data.labels, data.groups, 0), data.labels, data.groups, 0.5, 0)
    monkeypatch.setattr("hqgan.data.splits.LISTED", 5)
    path = tmp_path / "split.json"
    save_split(path, split, data)
    content = json.loads(path.read_text())
    assert "train" not in content
    again = load_split(path, data)
    for side in ("train", "validation", "test"):
        assert getattr(again, side).tolist() == getattr(split, side).tolist()
    with pytest.raises(UserError, match="made for other data"):
        load_split(path, dataclasses.replace(data, group_of=data.group_of[::-1].copy()))
    for sides in (b"\0" * 19, b"\4" * 20, b"\0" * 10**7):
        path.write_text(json.dumps(content | {"zlib": base64.b64encode(zlib.compress(sides)).decode()}))
        with pytest.raises(UserError, match="made for other data"):
            load_split(path, data)
    for damaged in ("", "AAAA", "?", 3):
        path.write_text(json.dumps(content | {"zlib": damaged}))
        with pytest.raises(UserError, match=r"cannot be read|made for other data"):
            load_split(path, data)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"train": 3}', "\x00"])
def test_a_damaged_split_is_one_sentence(data: ImageData, tmp_path: Path, text: str) -> None:
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        load_split(tmp_path / "split.json", data)


def test_a_split_naming_a_file_twice_or_unknown_is_refused(data: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    save_split(path, split_by_group(data.labels, data.groups, 0), data)
    content = json.loads(path.read_text())
    for extra in (content["train"][0], "../../etc/passwd"):
        path.write_text(json.dumps(content | {"train": [*content["train"], extra]}))
        with pytest.raises(UserError, match="made for other data"):
            load_split(path, data)


def test_missing_or_unwritable_split(data: ImageData, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        load_split(tmp_path / "none.json", data)
    with pytest.raises(UserError, match="cannot be written"):
        save_split(tmp_path / "nowhere" / "split.json", split_by_group(data.labels, data.groups, 0), data)


def test_thinning_keeps_whole_groups_of_every_class_and_nests():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [300, 60, 12])
    groups = np.array([f"{label}-{rng.integers(10 * (3 - label) + 6)}" for label in labels])
    split = split_by_group(labels, groups, 0)
    kept = [subsample_groups(split, labels, groups, fraction, 0) for fraction in (0.05, 0.25, 1.0)]
    assert kept[2] is split
    for less, more in pairwise(kept):
        assert set(less.train) < set(more.train)
        assert (less.test == split.test).all()
        assert (less.validation == split.validation).all()
        check_leaks(less, groups)
        # A lesion is kept whole or not at all.
        inside = set(groups[less.train])
        assert set(less.train) == {i for i in split.train if groups[i] in inside}
        assert set(labels[less.train]) == {0, 1, 2}
    share = len(set(groups[kept[1].train])) / len(set(groups[split.train]))
    assert share == pytest.approx(0.25, abs=0.08)
    assert (subsample_groups(split, labels, groups, 0.25, 0).train == kept[1].train).all()
    assert set(subsample_groups(split, labels, groups, 0.25, 1).train) != set(kept[1].train)
