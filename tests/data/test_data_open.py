"""Recognising layouts, and every kind of bad input."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pictures import picture, write

from calls import Calls
from hqgan.data import check_outside, open_data
from hqgan.data.inspect import inspect, summary
from hqgan.errors import UserError

Ham = Callable[..., Path]


def test_folder(tree: Path) -> None:
    data = open_data(tree, 16)
    assert data.name == "folder"
    assert data.classes == ("angioma", "mole", "scar")
    assert np.bincount(data.labels).tolist() == [10, 6, 4]
    assert data.images.shape == (20, 16, 16, 3)
    assert data.images.dtype == np.uint8
    assert data.files[0] == "angioma/0.png"
    assert (data.groups == data.files).all()
    assert data.licence == "unknown"
    assert data.skipped == ()


def test_images_are_read_only(tree: Path) -> None:
    images = open_data(tree, 16).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_folder_takes_any_ending_nested_and_linked_but_nothing_hidden(tree: Path) -> None:
    for ending in ("PNG", "JPG", "jpeg", "bmp", "TIF", "tiff", "webp"):
        write(tree / "scar" / "deeper" / f"x.{ending}", 7)
    write(tree / "scar" / ".hidden.png", 8)
    write(tree / ".cache" / "a.png", 8)
    write(tree / "__MACOSX" / "a.png", 8)
    (tree / "scar" / "notes.txt").write_text("no image")
    outside = write(tree.parent / "elsewhere" / "linked.png", 9).parent
    (tree / "scar" / "link").symlink_to(outside)
    (tree / "scar" / "ring").symlink_to(tree / "scar")
    data = open_data(tree, 16)
    assert np.bincount(data.labels).tolist() == [10, 6, 4 + 7 + 1]
    assert data.classes == ("angioma", "mole", "scar")


def test_copies_of_a_file_share_a_group(tree: Path) -> None:
    shutil.copy(tree / "mole" / "0.png", tree / "scar" / "copy.png")
    data = open_data(tree, 16)
    group = dict(zip(data.files.tolist(), data.groups.tolist(), strict=True))
    assert group["scar/copy.png"] == group["mole/0.png"]
    assert len(set(data.groups.tolist())) == 20


@pytest.mark.parametrize(
    "parts",
    [
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        ("ham10000_images_part_1", "ham10000_images_part_2"),
        (".", "."),
        ("images/a", "images/b"),
    ],
)
def test_ham10000(ham: Ham, parts: tuple[str, str]) -> None:
    data = open_data(ham(parts), 16)
    assert data.name == "ham10000"
    assert data.classes == ("bkl", "mel", "nv", "vasc")
    assert len(data) == 40
    assert len(set(data.groups.tolist())) == 20
    assert data.licence.startswith("CC BY-NC 4.0")
    assert data.labels[:4].tolist() == [2, 2, 1, 1]


def test_ham10000_from_dataverse_has_tabs_and_quotes(ham: Ham) -> None:
    root = ham()
    table = root / "HAM10000_metadata.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    (root / "HAM10000_metadata").write_text("\n".join("\t".join(f'"{cell}"' for cell in row) for row in rows))
    expected = open_data(root, 16)
    table.unlink()
    assert open_data(root, 16).fingerprint == expected.fingerprint


def test_ham10000_without_lesion_is_its_own_group(ham: Ham) -> None:
    data = open_data(ham(ISIC_0000003=",ISIC_0000003,mel,histo,,male,back"), 16)
    assert data.groups[3] == data.files[3]
    assert data.groups[2] != data.groups[3]
    assert np.flatnonzero(data.ungrouped).tolist() == [3]


def test_a_copy_without_a_lesion_has_the_others_and_is_still_ungrouped(ham: Ham) -> None:
    root = ham(ISIC_0000003=",ISIC_0000003,nv,histo,,male,back")
    copied, copy = (next(root.rglob(f"ISIC_000000{i}.jpg")) for i in (0, 3))
    copy.write_bytes(copied.read_bytes())
    data = open_data(root, 16)
    assert data.groups[3] == data.groups[0] == "HAM_0000000"
    assert np.flatnonzero(data.ungrouped).tolist() == [3]
    assert open_data("demo:42", 16).ungrouped is None


def test_ham10000_reports_missing_images_and_unknown_labels(ham: Ham) -> None:
    root = ham(ISIC_0000005="HAM_1,ISIC_0000005,scc,histo,,male,back")
    (root / "HAM10000_images_part_1" / "ISIC_0000006.jpg").unlink()
    data = open_data(root, 16)
    assert data.skipped == (("ISIC_0000005", "unknown dx 'scc'"), ("ISIC_0000006", "missing"))
    assert len(data) == 38


def test_ham10000_with_one_part_only_says_so(ham: Ham) -> None:
    root = ham()
    shutil.rmtree(root / "HAM10000_images_part_2")
    with pytest.raises(UserError, match=r"20 of the 40 images in .* more than 5%: ISIC_0000001 \(missing\)"):
        open_data(root, 16)


def test_ham10000_without_its_table_is_not_taken_for_two_classes(ham: Ham) -> None:
    root = ham()
    (root / "HAM10000_metadata.csv").unlink()
    with pytest.raises(UserError, match=r"not HAM10000_metadata\.csv"):
        open_data(root, 16)


def test_ham10000_with_a_damaged_table(ham: Ham) -> None:
    root = ham()
    (root / "HAM10000_metadata.csv").write_text("something,else\n1,2\n")
    with pytest.raises(UserError, match="lacks the columns"):
        open_data(root, 16)
    (root / "HAM10000_metadata.csv").write_bytes(b"lesion_id,image_id,dx\nL,caf\xe9,nv\n")
    with pytest.raises(UserError, match="not a readable table: the byte 0xe9 in line 2 is not utf-8"):
        open_data(root, 16)


def test_another_table_beside_class_folders_does_no_harm(tree: Path) -> None:
    (tree / "labels.csv").write_text("file,label\n")
    (tree / "binary.csv").write_bytes(b"\xff\xfe\x00\x80")
    assert open_data(tree, 16).name == "folder"


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        open_data(tmp_path / "nowhere")


def test_file_instead_of_folder(tree: Path) -> None:
    with pytest.raises(UserError, match="is a file, not a folder"):
        open_data(tree / "mole" / "0.png")


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(UserError, match="is empty"):
        open_data(tmp_path / "void")


def test_unknown_layout_says_what_was_found(tmp_path: Path) -> None:
    write(tmp_path / "flat" / "a.png")
    (tmp_path / "flat" / "docs").mkdir()
    with pytest.raises(UserError, match=r"it holds a\.png and docs/; hqgan reads .*HAM10000 .* per class"):
        open_data(tmp_path / "flat")


def test_one_class_only(tmp_path: Path) -> None:
    write(tmp_path / "one" / "mole" / "a.png")
    with pytest.raises(UserError, match="one class only \\('mole'\\)"):
        open_data(tmp_path / "one")


def test_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text("lesion_id,image_id,dx\n")
    with pytest.raises(UserError, match="no image"):
        open_data(tmp_path)


def test_folders_of_one_side_are_not_classes(tmp_path: Path) -> None:
    for side in ("train", "train_2"):
        write(tmp_path / "set" / side / "mole" / "a.png")
    with pytest.raises(UserError, match="look like parts of a data set, not classes"):
        open_data(tmp_path / "set")


def test_an_empty_class_is_mentioned(tree: Path) -> None:
    (tree / "wart").mkdir()
    data = open_data(tree, 16)
    assert data.classes == ("angioma", "mole", "scar")
    assert data.skipped == (("wart/", "no image in this folder"),)


@pytest.mark.parametrize("size", [0, 7, 5000])
def test_absurd_sizes(tree: Path, size: int) -> None:
    with pytest.raises(UserError, match="outside 8 to 1024"):
        open_data(tree, size)


def test_progress_reaches_the_total(tree: Path) -> None:
    calls: list[tuple[int, int]] = []
    open_data(tree, 16, reporter=Calls(decoding=lambda *call: calls.append(call)))
    assert calls == [(i, 20) for i in range(1, 21)]


def test_inspect(ham: Ham) -> None:
    root = ham(ISIC_0000005="HAM_1,ISIC_0000005,scc,histo,,male,back")
    report = inspect(root, 16, 0)
    assert report.layout == "ham10000"
    assert report.images == 39
    assert report.groups == 20
    assert [row.name for row in report.classes] == ["bkl", "mel", "nv", "vasc"]
    for row in report.classes:
        assert row.train + row.validation + row.test == row.images
        assert min(row.train, row.validation, row.test) > 0
    assert report.original_size == {"min": [24, 20], "median": [24, 20], "max": [24, 20]}
    assert report.skipped == (("ISIC_0000005", "unknown dx 'scc'"),)
    lines = summary(report)
    assert "39 images of 20 groups" in lines[0]
    assert lines[-1] == "left out: ISIC_0000005 (unknown dx 'scc')"


def test_inspect_gives_sizes_as_seen(tmp_path: Path) -> None:
    for name, turn in (("a", 1), ("b", 6)):
        exif = Image.Exif()
        exif[0x0112] = turn
        (tmp_path / "set" / name).mkdir(parents=True)
        picture(1, 400, 300).save(tmp_path / "set" / name / "x.jpg", exif=exif)
    sizes = inspect(tmp_path / "set", 8).original_size
    assert (sizes["min"], sizes["max"]) == ([300, 300], [400, 400])


def test_a_link_to_a_folder_above_brings_nothing_in(tree: Path) -> None:
    (tree / "mole" / "all").symlink_to(tree)
    data = open_data(tree, 16)
    assert len(data) == 20


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_not_the_folder_here(path: str) -> None:
    with pytest.raises(UserError, match="The path of the data is empty"):
        open_data(path, 16)


def test_a_folder_of_test_images_is_no_class(tree: Path) -> None:
    write(tree / "test" / "a.png")
    with pytest.raises(UserError, match="The folder test in .* looks like a part of a data set, not classes"):
        open_data(tree, 16)


def test_an_image_listed_as_two_classes_is_named(ham: Ham) -> None:
    root = ham()
    with (root / "HAM10000_metadata.csv").open("a") as table:
        table.write("HAM_9999999,isic_0000000,mel,histo,,male,back\n")
    data = open_data(root, 16)
    assert len(data) == 40
    assert data.skipped == (("isic_0000000", "listed twice, as nv and as mel"),)


def test_names_that_look_like_markup_are_text(tree: Path, hqgan) -> None:
    (tree / "[bold]red").mkdir()
    write(tree / "[bold]red" / "x.png")
    (tree / "mole" / "x[").mkdir()
    (tree / "mole" / "x[" / "b].png").write_text("no image")
    code, out, err = hqgan("data", "inspect", tree, "--size", "32")
    assert code == 0, err
    assert "[bold]red" in out
    assert "left out: mole/x[/b].png" in out


def test_only_the_datas_own_folder_is_closed_to_results(tree: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    check_outside("demo", Path("demo/run"))  # procedural data lie nowhere
    check_outside(tree, tree.parent / "tree-run")
    for inside in (tree, tree / "run", tmp_path / "demo" / ".." / "tree" / "run"):
        with pytest.raises(UserError, match="lies in the data's own folder"):
            check_outside(tree, inside)
