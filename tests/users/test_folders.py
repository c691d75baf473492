"""Folders of images as people have them: what is read, what is left out, and that it is said."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image


def picture(seed):
    """A picture of coarse squares, unlike any other."""
    cells = np.random.default_rng(seed).integers(40, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(cells.repeat(10, 0).repeat(10, 1))


def save(path, seed, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)
    return path


@pytest.fixture
def tree(tmp_path):
    """Two classes, mel and nv, of six images each."""
    for i in range(12):
        save(tmp_path / "tree" / ("mel", "nv")[i % 2] / f"{i}.png", i)
    return tmp_path / "tree"


@pytest.fixture
def inspect(hqgan, tmp_path):
    """What ``hqgan data inspect`` finds, as JSON, and what it prints."""

    def call(root, *options):
        code, out, err = hqgan("data", "inspect", root, "--size", 32, "--json", tmp_path / "found.json", *options)
        assert code == 0, err
        return json.loads((tmp_path / "found.json").read_text()), " ".join(out.split())

    return call


@pytest.fixture
def refused(hqgan):
    """The sentence with which ``hqgan data inspect`` refuses a folder."""

    def call(root, *options):
        code, _, err = hqgan("data", "inspect", root, "--size", 32, *options)
        assert code == 2
        return " ".join(err.split())

    return call


def counts(found):
    return {row["name"]: row["images"] for row in found["classes"]}


@pytest.mark.parametrize(
    ("folders", "what"),
    [
        ([f"ISIC2018_Task3_{part}_Input" for part in ("Training", "Validation", "Test")], "ISIC 2018 Task 3 without"),
        (["ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"], "ISIC 2018 Task 1"),
        (["ISBI2016_ISIC_Part3_Training_Data", "ISBI2016_ISIC_Part3_Test_Data"], "ISIC 2016"),
        (["ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"], "ISIC 2017"),
        (["ISIC_2020_Training_Input", "ISIC_2020_Test_Input"], "ISIC 2020"),
        (["ddidiversedermatologyimages", "other"], "DDI"),
        (["images", "masks"], "parts of a data set, not classes"),
        (["trainImages", "testImages"], "parts of a data set, not classes"),
    ],
)
def test_parts_of_a_data_set_are_not_taken_for_classes(folders, what, tmp_path, refused):
    for number, folder in enumerate(folders):
        for i in range(4):
            save(tmp_path / "set" / folder / f"ISIC_{i:07d}.jpg", 10 * number + i)
    sentence = refused(tmp_path / "set")
    assert what in sentence
    assert "not classes" in sentence or "without its" in sentence


def test_ddi_is_refused_by_name(tmp_path, refused):
    """Its images lie beside its table, as they come out of the archive."""
    save(tmp_path / "ddi" / "000001.png", 1)
    (tmp_path / "ddi" / "ddi_metadata.csv").write_text("DDI_ID,DDI_file,disease\n1,000001.png,mole\n")
    sentence = refused(tmp_path / "ddi")
    assert "DDI" in sentence
    assert "--table" in sentence


def one_hot(path, names, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    classes = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
    rows = [
        f"{name},{','.join(str(float(c == label)) for c in classes)}" for name, label in zip(names, labels, strict=True)
    ]
    path.write_text("\n".join([f"image,{','.join(classes)}", *rows]) + "\n")


@pytest.mark.parametrize("parts", [("Training",), ("Training", "Validation", "Test")])
def test_isic_2018_task_3_is_read(parts, tmp_path, inspect):
    """With lesions; with the publisher's split, where all of its tables are there."""
    root = tmp_path / "isic"
    for number, part in enumerate(("Training", "Validation", "Test")):
        names = [f"ISIC_{100 * number + i:07d}" for i in range(12)]
        for i, name in enumerate(names):
            save(root / f"ISIC2018_Task3_{part}_Input" / f"{name}.jpg", 100 * number + i)
        if part in parts:
            table = f"ISIC2018_Task3_{part}_GroundTruth"
            one_hot(root / table / f"{table}.csv", names, ["MEL", "NV"] * 6)
    lesions = "".join(f"ISIC_{i:07d},L{i // 4}{i % 2},histopathology\n" for i in range(12))
    (root / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text(
        f"image,lesion_id,diagnosis_confirm_type\n{lesions}"
    )
    found, printed = inspect(root)
    assert found["layout"] == "isic2018"
    assert counts(found) == {"MEL": 6 * len(parts), "NV": 6 * len(parts)}
    if len(parts) == 1:
        assert found["groups"] == 6
        assert "left out: ISIC2018_Task3_Test_Input/ (its table of classes is not there)" in printed
    else:
        assert [sum(row[side] for row in found["classes"]) for side in ("train", "validation", "test")] == [12, 12, 12]


def test_what_isic_cli_downloads_is_read(tmp_path, inspect):
    """Patients are groups; the columns of the diagnosis can be chosen; class names have commas."""
    rows = ["isic_id,attribution,copyright_license,diagnosis_1,diagnosis_3,lesion_id,patient_id"]
    for i in range(12):
        save(tmp_path / "isic" / f"ISIC_{i:07d}.jpg", i)
        malignant, name = (("Malignant", '"Melanoma, NOS"'), ("Benign", "Nevus"))[i % 2]
        rows.append(f"ISIC_{i:07d},MSKCC,CC-0,{malignant},{name},IL_{i},IP_{i // 4}{i % 2}")
    (tmp_path / "isic" / "metadata.csv").write_text("\n".join(rows) + "\n")
    found, _ = inspect(tmp_path / "isic")
    assert counts(found) == {"Melanoma, NOS": 6, "Nevus": 6}
    assert found["groups"] == 6
    found, _ = inspect(tmp_path / "isic", "--label", "diagnosis_1")
    assert counts(found) == {"Benign": 6, "Malignant": 6}


def test_pictures_of_other_kinds_are_read_or_counted(tree, inspect):
    """By ending and class; also those beside the folders of the classes."""
    save(tree / "mel" / "a.jfif", 20, format="JPEG")
    save(tree / "mel" / "b.gif", 21)
    for name in ("c.heic", "d.heic", "e.dcm", "f.jxl"):
        (tree / "mel" / name).write_bytes(b"a picture of another kind")
    save(tree / "loose.png", 22)
    found, printed = inspect(tree)
    assert counts(found) == {"mel": 8, "nv": 6}
    for part in ("mel/", "2 .heic, 1 .dcm and 1 .jxl"):
        assert part in printed
    assert "1 image beside the folders of the classes" in printed


@pytest.mark.parametrize(("ending", "format_"), [("avif", "AVIF"), ("jp2", "JPEG2000")])
def test_what_pillow_reads_without_more_is_read(ending, format_, tree, inspect):
    Image.init()
    if format_ not in Image.SAVE:
        pytest.skip(f"this build of Pillow has no {format_}")
    save(tree / "mel" / f"a.{ending}", 20, format=format_)
    assert counts(inspect(tree)[0])["mel"] == 7


def test_a_class_of_gifs_is_a_class(tree, inspect):
    for i in range(3):
        save(tree / "gif" / f"{i}.gif", 30 + i)
    found, printed = inspect(tree)
    assert counts(found)["gif"] == 3
    assert "no image" not in printed


def test_a_class_of_which_nothing_is_read_says_what_it_holds(tree, inspect):
    (tree / "bcc").mkdir()
    for i in range(3):
        (tree / "bcc" / f"{i}.HEIC").write_bytes(b"heic")
    _, printed = inspect(tree)
    assert "bcc/ (3 .heic" in printed


def test_a_folder_of_which_nothing_is_read_says_what_it_holds(tmp_path, refused):
    for i in range(4):
        path = tmp_path / "set" / ("mel", "nv")[i % 2] / f"{i}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"dicom")
    assert "4 .dcm" in refused(tmp_path / "set")


def test_folders_of_systems_and_network_drives_are_passed_over(tree, inspect):
    """Thumbnails, bins and what a check of a disk left, in the root and in a class."""
    for number, name in enumerate(("@eaDir", "$RECYCLE.BIN", "lost+found", "System Volume Information", "#recycle")):
        save(tree / name / "a.png", 40 + number)
        save(tree / "mel" / name / "M.jpg" / "SYNOPHOTO_THUMB_M.jpg", 50 + number)
    (tree / "mel" / "Thumbs.db").write_bytes(b"thumbnails")
    found, printed = inspect(tree)
    assert counts(found) == {"mel": 6, "nv": 6}
    assert "left out" not in printed


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_pixels_of_12_bits_are_refused_with_the_reason(kind, tmp_path, refused, inspect):
    """Nothing in a file of 16 bits says that its white is 4095; one that uses its 16 bits is read as it is."""
    for i in range(12):
        path = tmp_path / "set" / ("mel", "nv")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _sixteen_bits(path, np.random.default_rng(i).integers(0, 4096, (40, 40)), kind)
    sentence = refused(tmp_path / "set")
    assert "16 bits, but values up to 4,09" in sentence
    assert "save it with 8 bits" in sentence
    shutil.rmtree(tmp_path / "set")
    for i in range(12):
        path = tmp_path / "full" / ("mel", "nv")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _sixteen_bits(path, np.random.default_rng(i).integers(0, 65536, (40, 40)), kind)
    assert counts(inspect(tmp_path / "full")[0]) == {"mel": 6, "nv": 6}


def _sixteen_bits(path, values, kind):
    """A PNG of 16 bits, grey or in colour; Pillow itself writes no colours of 16 bits."""
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    channels, colour = (3, 2) if kind == "colour" else (1, 0)
    lines = b"".join(b"\0" + np.repeat(row, channels).astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    whole = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + whole)


def _medmnist(path):
    arrays = {}
    for side, count in (("train", 21), ("val", 14), ("test", 14)):
        arrays[f"{side}_images"] = np.random.default_rng(count).integers(0, 256, (count, 28, 28, 3), np.uint8)
        arrays[f"{side}_labels"] = (np.arange(count, dtype=np.uint8) % 7)[:, None]
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("name", "layout", "warned"),
    [
        ("dermamnist_corrected_28.npz", "dermamnist_corrected", False),
        ("dermamnist_extended_224.npz", "dermamnist_extended", False),
        ("dermamnist_64.npz", "dermamnist", True),
        ("dermamnist (1).npz", "dermamnist", True),
    ],
)
def test_corrected_archives_are_not_warned_of_what_they_correct(name, layout, warned, tmp_path, inspect):
    found, printed = inspect(_medmnist(tmp_path / name))
    assert found["layout"] == layout
    assert "melanoma" in counts(found)
    assert found["licence"].startswith("CC BY-NC 4.0")
    assert ("lesion on two sides" in printed) == warned


def test_an_archive_of_another_name_is_not_known_by_its_first_word(tmp_path, inspect):
    found, printed = inspect(_medmnist(tmp_path / "dermamnist_my_own_cut.npz"))
    assert "melanoma" not in counts(found)
    assert "lesion on two sides" not in printed
