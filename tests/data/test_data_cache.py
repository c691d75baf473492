"""The image cache: reused, rebuilt, never half there."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_pictures import write

from hqgan.data import cache as store
from hqgan.data import hashes, open_data
from hqgan.data import open as opening
from hqgan.data.decode import Decoded
from hqgan.errors import UserError
from hqgan.types import ImageData


def entries(cache: Path) -> list[Path]:
    """What anybody can open."""
    return sorted(path for path in (cache / "images").iterdir() if not path.name.startswith("."))


def leftovers(cache: Path) -> list[Path]:
    return sorted((cache / "images").glob(".*"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files decoded so far."""
    names: list[str] = []
    original = opening.decode

    def spy(path: Path, size: int, fit: str) -> object:
        names.append(path.name)
        return original(path, size, fit)

    monkeypatch.setattr(opening, "decode", spy)
    return names


def test_second_opening_decodes_and_hashes_nothing(
    tree: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_data(tree, 16)
    assert len(decoded) == 20
    monkeypatch.setattr(hashes, "_hash_file", lambda path: pytest.fail("hashed again"))
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
    assert store.cache_folder(None) == tmp_path / "xdg" / "hqgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.cache_folder(None) == tmp_path / ".cache" / "hqgan"


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


def stop_at(wanted: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == wanted:
            raise KeyboardInterrupt

    return progress


def test_what_was_stopped_goes_on_with_the_first_part_that_is_not_whole(
    tree: Path, cache: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_data(tree, 16, cache=tmp_path / "other")
    decoded.clear()
    monkeypatch.setattr(store, "PART", 6)
    with pytest.raises(KeyboardInterrupt):
        open_data(tree, 16, progress=stop_at(14))
    assert entries(cache) == []
    before = len(decoded)
    told: list[tuple[int, int]] = []
    data = open_data(tree, 16, progress=lambda *numbers: told.append(numbers))
    assert sorted(decoded[before:]) == sorted(str(file).rpartition("/")[2] for file in data.files[12:])
    assert told == [(done, 20) for done in range(13, 21)]
    assert (data.images == whole.images).all()
    assert data.fingerprint == whole.fingerprint
    assert leftovers(cache) == []


def test_unreadable_images_leave_no_hole(tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_data(tree, 16)
    gone = [5, 13]
    good = [row for row in range(20) if row not in gone]
    for row in gone:
        (tree / str(whole.files[row])).write_bytes(b"")
    monkeypatch.setattr(store, "PART", 6)
    monkeypatch.setattr(opening, "MAX_UNREADABLE", 0.2)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    # Whatever is killed after the last part is done again from where it stood.
    for name in ("_close", "_write_texts", "_publish"):
        with monkeypatch.context() as patch:
            patch.setattr(store, name, killed)
            with pytest.raises(KeyboardInterrupt):
                open_data(tree, 16)
    data = open_data(tree, 16)
    assert (data.images == whole.images[good]).all()
    assert data.files.tolist() == whole.files[good].tolist()
    assert (data.labels == whole.labels[good]).all()
    assert [file for file, _ in data.skipped] == whole.files[gone].tolist()
    _, original = opening.open_with_sizes(tree, 16)
    assert original.shape == (18, 2)
    assert (original > 0).all()
    assert leftovers(cache) == []


def test_what_is_refused_is_not_kept(tree: Path, cache: Path) -> None:
    for path in sorted(tree.rglob("*.*"))[:3]:
        path.write_bytes(b"")
    with pytest.raises(UserError, match="3 of the 20 images"):
        open_data(tree, 16)
    assert entries(cache) == leftovers(cache) == []


def test_several_share_the_parts(tree: Path, cache: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes later makes what nobody makes, and waits for the rest."""
    monkeypatch.setattr(store, "PART", 5)
    second = threading.Thread(target=lambda: seen.append(open_data(tree, 16)))
    seen: list[ImageData] = []
    held, made = threading.Event(), threading.Event()

    def progress(done: int, total: int) -> None:
        if done == 2:  # in the midst of the first part
            second.start()
            assert made.wait(60)

    def progress_of_second() -> None:
        while len(decoded) < 20:
            held.wait(0.01)
        made.set()

    watch = threading.Thread(target=progress_of_second)
    watch.start()
    first = open_data(tree, 16, progress=progress)
    second.join(60)
    watch.join(60)
    assert len(decoded) == 20
    assert (first.images == seen[0].images).all()
    assert len(entries(cache)) == 1
    assert leftovers(cache) == []


def plain_rows(start: int, stop: int) -> list[Decoded]:
    return [Decoded(np.full((8, 8, 3), 100 + row, np.uint8), (9, 9)) for row in range(start, stop)]


def test_who_gives_up_takes_nothing_from_others(tmp_path: Path) -> None:
    """A full disk in one process, while another is writing and a third one comes."""
    failing, failed = threading.Event(), threading.Event()
    found: list[store.Entry] = []

    def patient(start: int, stop: int) -> list[Decoded]:
        failing.set()
        assert failed.wait(60)
        return plain_rows(start, stop)

    def impatient(start: int, stop: int) -> list[Decoded]:
        second.start()
        assert failing.wait(60)
        raise OSError(errno.ENOSPC, "No space left on device")

    names = [f"{row}.png" for row in range(4)]
    second = threading.Thread(target=lambda: found.append(store.store(tmp_path, "key", 8, names, patient, part=2)))
    with pytest.raises(UserError, match="is full"):
        store.store(tmp_path, "key", 8, names, impatient, part=2)
    third = threading.Thread(target=lambda: found.append(store.store(tmp_path, "key", 8, names, plain_rows, part=2)))
    third.start()
    failed.set()
    for thread in (second, third):
        thread.join(60)
    assert len(found) == 2
    for entry in found:
        assert entry.images[:, 0, 0, 0].tolist() == [100, 101, 102, 103]
        assert entry.original.tolist() == [[9, 9]] * 4
    assert leftovers(tmp_path) == []


def test_a_part_whose_file_was_removed_is_not_called_whole(tmp_path: Path) -> None:
    def removing(start: int, stop: int) -> Iterator[Decoded]:
        yield from plain_rows(start, stop)
        shutil.rmtree(tmp_path / "images" / ".key")

    with pytest.raises(UserError, match="cannot be written"):
        store.store(tmp_path, "key", 8, ["a", "b"], removing)
    assert store.load(tmp_path, "key", 8) is None


def test_all_who_opened_refused_data_hear_why(tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted(tree.rglob("*.*"))[:3]:
        path.write_bytes(b"")
    monkeypatch.setattr(store, "PART", 5)
    heard: list[str] = []

    def opened() -> None:
        try:
            open_data(tree, 16)
        except UserError as error:
            heard.append(str(error))

    threads = [threading.Thread(target=opened) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(heard) == 3
    assert all("3 of the 20 images" in sentence for sentence in heard), heard
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
