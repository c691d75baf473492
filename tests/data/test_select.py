"""Which images and classes of a data set are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_pictures import write

from hqgan.cli.options import selection_of
from hqgan.config.sections import ClassSelection
from hqgan.data import open_data, split_of
from hqgan.data.index import DatasetIndex
from hqgan.data.layouts.isic2019 import CLASSES, TRUTH
from hqgan.data.select import choose
from hqgan.errors import UserError


def counts(data) -> dict[str, int]:
    return dict(zip(data.classes, np.bincount(data.labels).tolist(), strict=True))


def test_classes_are_kept_in_the_order_asked_for(tree: Path) -> None:
    data = open_data(tree, 16, choice=ClassSelection(classes=("scar", "angioma")))
    assert counts(data) == {"scar": 4, "angioma": 10}
    assert data.fingerprint != open_data(tree, 16).fingerprint


def test_classes_are_merged_in_the_place_of_the_first(tree: Path) -> None:
    data = open_data(tree, 16, choice=ClassSelection(merge={"other": ("scar", "mole")}))
    assert counts(data) == {"angioma": 10, "other": 10}
    whole = open_data(tree, 16)
    assert (data.images == whole.images).all()


def test_a_merged_class_can_be_kept_and_may_have_an_old_name(tree: Path) -> None:
    choice = ClassSelection(merge={"mole": ("scar", "mole")}, classes=("mole", "angioma"))
    assert counts(open_data(tree, 16, choice=choice)) == {"mole": 10, "angioma": 10}


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (ClassSelection(classes=("wart", "mole")), "names 'wart', which folder lacks"),
        (ClassSelection(classes=("mole", "mole")), "twice"),
        (ClassSelection(merge={"x": ("scar",), "y": ("scar",)}), "names 'scar', which folder lacks"),
        (ClassSelection(merge={"angioma": ("scar", "mole")}), "There is a class 'angioma'"),
        (ClassSelection(merge={"x": ()}), "none"),
        (ClassSelection(protocol="hybridq"), "protocol hybridq is of ISIC 2019"),
        (ClassSelection(label="label"), "is not Fitzpatrick17k"),
        (ClassSelection(classes=("mole",)), "one class only"),
    ],
)
def test_what_is_not_there_is_one_sentence(tree: Path, choice: ClassSelection, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        open_data(tree, 16, choice=choice)


def test_the_papers_protocol(tmp_path: Path) -> None:
    """A fifth of each class, nothing downsampled; other seeds, other images."""
    rows = ["image," + ",".join(CLASSES)]
    for i in range(60):
        image = f"ISIC_{i:07d}" + ("_downsampled" if i >= 50 else "")
        write(tmp_path / "ISIC_2019_Training_Input" / f"{image}.jpg", i)
        rows.append(f"{image}," + ",".join(str(float(k == (i >= 40) + (i >= 20))) for k in range(len(CLASSES))))
    (tmp_path / TRUTH).write_text("\n".join(rows) + "\n")
    assert counts(open_data(tmp_path, 16)) == {"MEL": 20, "NV": 20, "BCC": 20}
    data = open_data(tmp_path, 16, choice=ClassSelection(protocol="hybridq"))
    assert counts(data) == {"MEL": 4, "NV": 4, "BCC": 2}
    assert not any("downsampled" in file for file in data.files)
    other = open_data(tmp_path, 16, seed=1, choice=ClassSelection(protocol="hybridq"))
    assert counts(other) == counts(data)
    assert set(other.files) != set(data.files)


def test_labels_of_fitzpatrick17k(tmp_path: Path) -> None:
    rows = ["md5hash,label,nine_partition_label,three_partition_label,qc"]
    for i in range(12):
        write(tmp_path / f"{i:032x}.jpg", i)
        rows.append(f"{i:032x},l{i % 6},n{i % 3},t{i % 2},")
    (tmp_path / "fitzpatrick17k.csv").write_text("\n".join(rows) + "\n")
    assert open_data(tmp_path, 16).classes == ("n0", "n1", "n2")
    assert open_data(tmp_path, 16, choice=ClassSelection(label="three_partition_label")).classes == ("t0", "t1")
    assert len(open_data(tmp_path, 16, choice=ClassSelection(label="label")).classes) == 6
    with pytest.raises(UserError, match="no labels 'nine'"):
        open_data(tmp_path, 16, choice=ClassSelection(label="nine"))


def test_published_sides_go_with_their_images() -> None:
    listing = DatasetIndex(
        "x", ("a", "b", "c"), ["1", "2", "3"], ["a", "b", "c"], [""] * 3, "", 3, sides=["train", "test", "test"]
    )
    kept = choose(listing, ClassSelection(classes=("c", "a")), 0)
    assert (kept.files, kept.sides) == (["1", "3"], ["train", "test"])
    assert choose(listing, ClassSelection(), 0) is listing


def test_demo_can_be_chosen_from(tmp_path: Path) -> None:
    whole = open_data("demo:160", 16)
    names = (whole.classes[2], whole.classes[0])
    data = open_data("demo:160", 16, choice=ClassSelection(classes=names))
    assert data.classes == names
    rows = np.flatnonzero(np.isin(whole.files, data.files))
    assert (data.images == whole.images[rows]).all()
    assert len(split_of(data, 0).test)


def test_the_command_line(tree: Path, hqgan) -> None:
    code, out, _ = hqgan("data", "inspect", tree, "--classes", "scar,rest", "--merge", "rest=mole,angioma")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("│ ")] == ["scar", "rest", "all"]
    code, _, err = hqgan("data", "inspect", tree, "--merge", "rest")
    assert (code, "NEW=A,B" in err) == (2, True)
    selection = selection_of({"data.choice.classes": ["a, b"], "data.choice.protocol": "hybridq"}, None)
    assert (selection.classes, selection.protocol) == (("a", "b"), "hybridq")


def test_a_class_merged_in_two_options_is_one(tree: Path, hqgan) -> None:
    code, out, _ = hqgan("data", "inspect", tree, "--size", "32", "--merge", "other=scar", "--merge", "other=mole")
    assert code == 0
    assert "other   │     10" in out
    assert "mole" not in out.split("class")[1]


def test_a_class_that_is_asked_for_and_has_no_image(ham) -> None:
    with pytest.raises(UserError, match="ham10000 has no image of the class 'df' here"):
        open_data(ham(), 16, choice=ClassSelection(classes=("mel", "df", "nv")))
