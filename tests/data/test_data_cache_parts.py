"""Making an entry of the image cache part by part: stopped, shared by several processes, given up, refused."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cache_folder import entries, leftovers

from calls import Calls
from hqgan.data import cache_parts, open_data
from hqgan.data import open as opening
from hqgan.data.cache import Entry, load
from hqgan.data.decode import Decoded
from hqgan.errors import UserError
from hqgan.types import ImageData


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
    monkeypatch.setattr(cache_parts, "PART", 6)
    with pytest.raises(KeyboardInterrupt):
        open_data(tree, 16, reporter=Calls(decoding=stop_at(14)))
    assert entries(cache) == []
    before = len(decoded)
    told: list[tuple[int, int]] = []
    data = open_data(tree, 16, reporter=Calls(decoding=lambda *numbers: told.append(numbers)))
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
    monkeypatch.setattr(cache_parts, "PART", 6)
    monkeypatch.setattr(opening, "MAX_UNREADABLE", 0.2)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    # Whatever is killed after the last part is done again from where it stood.
    for name in ("_close", "write_texts", "_publish"):
        with monkeypatch.context() as patch:
            patch.setattr(cache_parts, name, killed)
            with pytest.raises(KeyboardInterrupt):
                open_data(tree, 16)
    data = open_data(tree, 16)
    assert (data.images == whole.images[good]).all()
    assert data.files.tolist() == whole.files[good].tolist()
    assert (data.labels == whole.labels[good]).all()
    assert [file for file, _ in data.skipped] == whole.files[gone].tolist()
    assert data.original is not None
    assert data.original.shape == (18, 2)
    assert (data.original > 0).all()
    assert leftovers(cache) == []


def test_several_share_the_parts(tree: Path, cache: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes later makes what nobody makes, and waits for the rest."""
    monkeypatch.setattr(cache_parts, "PART", 5)
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
    first = open_data(tree, 16, reporter=Calls(decoding=progress))
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
    found: list[Entry] = []

    def patient(start: int, stop: int) -> list[Decoded]:
        failing.set()
        assert failed.wait(60)
        return plain_rows(start, stop)

    def impatient(start: int, stop: int) -> list[Decoded]:
        second.start()
        assert failing.wait(60)
        raise OSError(errno.ENOSPC, "No space left on device")

    names = [f"{row}.png" for row in range(4)]
    second = threading.Thread(
        target=lambda: found.append(cache_parts.make_entry(tmp_path, "key", 8, names, patient, part=2))
    )
    with pytest.raises(UserError, match="is full"):
        cache_parts.make_entry(tmp_path, "key", 8, names, impatient, part=2)
    third = threading.Thread(
        target=lambda: found.append(cache_parts.make_entry(tmp_path, "key", 8, names, plain_rows, part=2))
    )
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
        cache_parts.make_entry(tmp_path, "key", 8, ["a", "b"], removing)
    assert load(tmp_path, "key", 8) is None


def test_all_who_opened_refused_data_hear_why(tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted(tree.rglob("*.*"))[:3]:
        path.write_bytes(b"")
    monkeypatch.setattr(cache_parts, "PART", 5)
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
