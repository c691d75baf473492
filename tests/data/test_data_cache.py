"""The image cache: reused, rebuilt, never half there."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cache_folder import entries, leftovers
from tiny_pictures import write

from hqgan.data import cache as image_cache
from hqgan.data import open_data
from hqgan.data.cache import cache_folder
from hqgan.errors import UserError


def test_second_opening_decodes_and_hashes_nothing(
    tree: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_data(tree, 16)
    assert len(decoded) == 20
    monkeypatch.setattr(image_cache, "_hash_file", lambda path: pytest.fail("hashed again"))
    second = open_data(tree, 16)
    assert len(decoded) == 20
    assert second.fingerprint == first.fingerprint
    assert (second.images == first.images).all()


def test_the_key_is_the_content_not_the_place(tree: Path, decoded: list[str]) -> None:
    first = open_data(tree, 16)
    moved = shutil.move(tree, tree.parent / "moved")
    assert open_data(moved, 16).fingerprint == first.fingerprint
    assert len(decoded) == 20


def test_a_changed_image_of_equal_length_and_time_is_noticed(tree: Path) -> None:
    path = tree / "mole" / "0.bmp"
    write(path, 1)
    stat = path.stat()
    first = open_data(tree, 16)
    other = write(tree.parent / "other.bmp", 2)
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    shutil.copy2(other, path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert open_data(tree, 16).fingerprint != first.fingerprint


def test_sizes_have_their_own_entries(tree: Path, cache: Path) -> None:
    prints = {open_data(tree, size).fingerprint for size in (8, 16)}
    assert len(prints) == len(entries(cache)) == 2


def test_the_fingerprint_knows_labels(tree: Path) -> None:
    first = open_data(tree, 16)
    (tree / "scar").rename(tree / "zits")
    renamed = open_data(tree, 16)
    assert (renamed.images == first.images).all()
    assert renamed.fingerprint != first.fingerprint


def test_cache_argument_and_environment(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_data(tree, 16, cache=tmp_path / "mine")
    assert entries(tmp_path / "mine")
    monkeypatch.delenv("HQGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder(None) == tmp_path / "xdg" / "hqgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / ".cache" / "hqgan"


def cut(place: Path) -> None:
    os.truncate(place / "images.npy", 500)


def drop_meta(place: Path) -> None:
    (place / "meta.json").unlink()


def garble_meta(place: Path) -> None:
    (place / "meta.json").write_text("{")


def lie_in_meta(place: Path) -> None:
    meta = json.loads((place / "meta.json").read_text())
    meta["images"] -= 1
    (place / "meta.json").write_text(json.dumps(meta))


def older_version(place: Path) -> None:
    meta = json.loads((place / "meta.json").read_text())
    (place / "meta.json").write_text(json.dumps(meta | {"version": 0}))


def pickle_inside(place: Path) -> None:
    np.save(place / "images.npy", np.array([{"a": 1}], object), allow_pickle=True)


def replace_by_file(place: Path) -> None:
    shutil.rmtree(place)
    place.write_text("not a folder")


@pytest.mark.parametrize(
    "damage", [cut, drop_meta, garble_meta, lie_in_meta, older_version, pickle_inside, replace_by_file]
)
def test_a_damaged_entry_is_made_again(
    tree: Path, cache: Path, decoded: list[str], damage: Callable[[Path], None]
) -> None:
    first = open_data(tree, 16)
    expected = np.array(first.images)
    damage(entries(cache)[0])
    again = open_data(tree, 16)
    assert (again.images == expected).all()
    assert again.fingerprint == first.fingerprint
    assert len(decoded) == 40
    assert len(entries(cache)) == 1
    open_data(tree, 16)
    assert len(decoded) == 40


def test_a_damaged_index_is_ignored(tree: Path, cache: Path) -> None:
    first = open_data(tree, 16).fingerprint
    (index,) = (cache / "index").iterdir()
    for text in ("[", "[]", '{"mole/0.png": 3}', '{"mole/0.png": ["x"]}', "[" * 100_000):
        index.write_text(text)
        assert open_data(tree, 16).fingerprint == first


class FullDisk(io.BytesIO):
    """Takes some bytes, then fails as a full disk does."""

    def __init__(self, number: int, room: int = 4000) -> None:
        super().__init__()
        self.number, self.room = number, room

    def write(self, data: object) -> int:
        self.room -= memoryview(data).nbytes  # type: ignore[arg-type]
        if self.room < 0:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, r"is full \(0 MB needed\): free some space"), (errno.EACCES, "cannot be written")],
)
def test_a_full_disk_leaves_nothing_behind(
    tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    original = Path.open

    def opened(path: Path, *args: object, **options: object) -> object:
        return FullDisk(number) if path.name == "images.slots" else original(path, *args, **options)  # type: ignore

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(UserError, match=sentence):
            open_data(tree, 16)
    assert entries(cache) == leftovers(cache) == []
    assert len(open_data(tree, 16)) == 20


def test_a_full_disk_at_the_last_flush(tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="is full"):
            open_data(tree, 16)
    assert entries(cache) == leftovers(cache) == []


def test_what_is_refused_is_not_kept(tree: Path, cache: Path) -> None:
    for path in sorted(tree.rglob("*.*"))[:3]:
        path.write_bytes(b"")
    with pytest.raises(UserError, match="3 of the 20 images"):
        open_data(tree, 16)
    assert entries(cache) == leftovers(cache) == []


def test_near_duplicates_are_looked_for_once_and_only_where_lesions_are_unknown(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_data(tree, 16)
    monkeypatch.setattr("hqgan.data.groups.perceptual_hash", lambda image: pytest.fail("looked again"))
    assert open_data(tree, 16).groups.tolist() == first.groups.tolist()
    open_data("demo:42", 16)


def test_groups_by_name_and_by_number_agree(tree: Path) -> None:
    for data in (open_data(tree, 16), open_data("demo:100", 16)):
        _, first, numbers = np.unique(data.groups, return_index=True, return_inverse=True)
        assert (first[numbers] == np.unique(data.group_of, return_index=True)[1][data.group_of]).all()
        assert (np.diff(np.unique(data.group_of, return_index=True)[1]) > 0).all()


def test_a_file_where_the_cache_should_be(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*HQGAN_CACHE"):
        open_data(tree, 16, cache=tmp_path / "taken")


def test_leftovers_of_killed_processes_are_swept_after_a_week(tree: Path, cache: Path) -> None:
    old, new = cache / "images" / ".dead.1", cache / "images" / ".busy.2"
    for path in (old, new):
        path.mkdir(parents=True)
        (path / "images.npy").write_bytes(b"x")
    os.utime(old, (0, 0))
    open_data(tree, 16)
    assert not old.exists()
    assert new.exists()


def test_the_source_is_never_written_to(tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    tree.chmod(0o555)
    try:
        open_data(tree, 16)
    finally:
        tree.chmod(0o755)
    assert sorted(tree.rglob("*")) == before
