"""The public data sets as their publishers lay them out, with the flaws that the real ones have."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pictures import picture, write

from hqgan.data import check_leaks, open_data, split_of
from hqgan.data.inspect import inspect
from hqgan.errors import UserError


@pytest.fixture
def fitzpatrick(tmp_path: Path) -> Path:
    """Forty rows, of which six images could not be fetched and one is wrongly labelled."""
    names = ("inflammatory", "malignant epidermal", "benign dermal")
    head = "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum"
    rows = [head]
    for i in range(40):
        image = f"{i:032x}"
        if i % 7:
            write(tmp_path / "images" / f"{image}.{'JPG' if i % 2 else 'jpg'}", i)
        qc = "3 Wrongly labelled" if i == 8 else "1 Diagnostic" if i == 9 else ""
        rows.append(f"{image},{i % 8 - 1},{i % 6},psoriasis,{names[i % 3]},non-neoplastic,{qc},http://x/{i},x{i}")
    (tmp_path / "fitzpatrick17k.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_fitzpatrick17k_lacks_images_and_says_how_many(fitzpatrick: Path) -> None:
    data = open_data(fitzpatrick, 16)
    assert data.name == "fitzpatrick17k"
    assert data.classes == ("benign dermal", "inflammatory", "malignant epidermal")
    assert len(data) == 33
    assert data.skipped == (
        ("fitzpatrick17k.csv/", "6 of its 40 images are not there"),
        ("fitzpatrick17k.csv/", "1 of its 40 images are wrongly labelled, as its qc says"),
    )
    assert data.labels[:3].tolist() == [2, 0, 1]


def pad(root: Path, places: tuple[str, ...]) -> Path:
    rows = ["patient_id,lesion_id,smoke,age,fitspatrick,region,diagnostic,img_id,biopsed"]
    for i in range(40):
        image = f"PAT_{i // 4}_{i // 2}_{i}.png"
        write(root / places[i % len(places)] / image, i)
        rows.append(f"PAT_{i // 4},{i // 2},,55,3.0,FACE,{('NEV', 'BCC', 'MEL')[i // 4 % 3]},{image},True")
    (root / "metadata.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.parametrize(
    "places",
    [
        ("images/imgs_part_1", "images/imgs_part_2", "images/imgs_part_3"),
        ("images/imgs_part_1/imgs_part_1", "images/imgs_part_2/imgs_part_2"),
        (".",),
    ],
)
def test_pad_ufes_groups_by_patient(tmp_path: Path, places: tuple[str, ...]) -> None:
    data = open_data(pad(tmp_path, places), 16)
    assert data.name == "pad-ufes-20"
    assert data.classes == ("BCC", "MEL", "NEV")
    assert len(data) == 40
    assert len(set(data.groups.tolist())) == 10
    check_leaks(split_of(data, 0), data.groups)


def test_pad_ufes_leaves_out_what_it_does_not_know(tmp_path: Path) -> None:
    root = pad(tmp_path, (".",))
    table = root / "metadata.csv"
    table.write_text(table.read_text().replace("NEV,PAT_0_0_0.png", "XYZ,PAT_0_0_0.png"))
    (root / "PAT_0_0_1.png").unlink()
    assert open_data(root, 16).skipped == (("PAT_0_0_0.png", "unknown diagnostic 'XYZ'"), ("PAT_0_0_1.png", "missing"))


def test_another_metadata_table_is_not_taken_for_pad_ufes(tree: Path) -> None:
    (tree / "metadata.csv").write_text("file_name,label\na.png,x\n")
    assert open_data(tree, 16).name == "folder"


@pytest.fixture
def odir(tmp_path: Path) -> Path:
    rows = ["ID,Patient Age,Patient Sex,Left-Fundus,Right-Fundus,Left-Diagnostic Keywords,Right-Diagnostic Keywords,"
            "N,D,G,C,A,H,M,O,filepath,labels,target,filename"]  # fmt: skip
    for i in range(20):
        for eye in ("left", "right"):
            name = f"{i}_{eye}.jpg"
            write(tmp_path / "preprocessed_images" / name, 2 * i + (eye == "left"))
            label = ("N", "D", "G")[i % 3]
            words = '"macular degeneration, drusen",normal fundus'
            rows.append(
                f"{i},60,Male,{i}_left.jpg,{i}_right.jpg,{words},0,0,0,0,0,0,0,0,../input/{name},['{label}'],\"[0, 1]\",{name}"
            )
    (tmp_path / "full_df.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_odir_keeps_both_eyes_of_a_patient_together(odir: Path) -> None:
    data = open_data(odir, 16)
    assert data.name == "odir-5k"
    assert data.classes == ("N", "D", "G")
    assert len(data) == 40
    assert len(set(data.groups.tolist())) == 20
    group = dict(zip(data.files.tolist(), data.groups.tolist(), strict=True))
    assert group["preprocessed_images/3_left.jpg"] == group["preprocessed_images/3_right.jpg"]


def test_odir_leaves_out_eyes_of_several_labels(odir: Path) -> None:
    table = odir / "full_df.csv"
    table.write_text(table.read_text().replace("['D']", "\"['D', 'M']\"", 1))
    assert open_data(odir, 16).skipped == (("1_left.jpg", "labels \"['D', 'M']\" are not one of the classes"),)


def medmnist(
    path: Path, shape: tuple[int, ...] = (28, 28, 3), counts: tuple[int, ...] = (21, 7, 7), **more: np.ndarray
) -> Path:
    rng = np.random.default_rng(0)
    arrays = {}
    for side, n in zip(("train", "val", "test"), counts, strict=True):
        arrays[f"{side}_images"] = rng.integers(0, 256, (n, *shape), np.uint8)
        arrays[f"{side}_labels"] = (np.arange(n, dtype=np.uint8) % 5)[:, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{**arrays, **more})
    return path


@pytest.mark.parametrize("inside", [False, True])
def test_medmnist_keeps_the_published_split_and_warns(tmp_path: Path, inside: bool) -> None:
    path = medmnist(tmp_path / "m" / "dermamnist_64.npz")
    data = open_data(path.parent if inside else path, 16)
    assert data.name == "dermamnist"
    assert data.classes[:2] == ("actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma")
    assert "lesion on two sides" in data.warning
    split = split_of(data, 7)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [21, 7, 7]
    assert data.files[split.test[0]] == "test/000000"
    with np.load(path) as arrays:
        expected = Image.fromarray(arrays["test_images"][3]).resize((16, 16), Image.Resampling.LANCZOS)
    assert (data.images[split.test[3]] == np.asarray(expected)).all()
    assert any("lesion on two sides" in line for line in inspect_lines(path))


def inspect_lines(path: Path) -> list[str]:
    from hqgan.data.inspect import summary

    return summary(inspect(path, 16))


def test_medmnist_in_grey(tmp_path: Path) -> None:
    data = open_data(medmnist(tmp_path / "breastmnist.npz", (28, 28)), 16)
    assert data.classes == ("0", "1", "2", "3", "4")
    assert data.images.shape == (35, 16, 16, 3)


def test_medmnist_of_several_labels_is_refused(tmp_path: Path) -> None:
    path = medmnist(tmp_path / "chestmnist.npz", train_labels=np.zeros((21, 14), np.uint8))
    with pytest.raises(UserError, match="sets of one label"):
        open_data(path, 16)


def test_an_npz_that_is_none_of_medmnist(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="no archive of MedMNIST"):
        open_data(tmp_path / "weights.npz", 16)
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(UserError, match="cannot be read"):
        open_data(tmp_path / "b.npz", 16)


def test_pickled_objects_in_an_npz_are_not_unpickled(tmp_path: Path) -> None:
    path = medmnist(tmp_path / "dermamnist.npz", train_labels=np.array([{}] * 21, object))
    with pytest.raises(UserError, match="object are not one label for each of 21 images"):
        open_data(path, 16)


def test_a_header_that_claims_more_than_there_is(tmp_path: Path) -> None:
    path = medmnist(tmp_path / "dermamnist.npz")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28, 3)}
    np.lib.format.write_array_header_2_0(buffer, header)
    parts["train_images.npy"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match="more than it holds"):
        open_data(path, 16)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    """64 KB of zeros that would be 64 MB, as images and as labels; and a header as long."""
    zeros = np.zeros((80_000, 28, 28), np.uint8)
    path = medmnist(tmp_path / "dermamnist.npz", train_images=zeros, train_labels=np.zeros(80_000, np.uint8))
    assert path.stat().st_size < 100_000
    labels = medmnist(tmp_path / "labels.npz", train_labels=np.zeros(10_000_000, np.uint8))
    head = medmnist(tmp_path / "head.npz")
    with zipfile.ZipFile(head) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["val_images.npy"] = b"\x93NUMPY\x02\x00" + (60_000_000).to_bytes(4, "little") + b" " * 60_000_000
    with zipfile.ZipFile(head, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    del parts, content
    tracemalloc.start()
    try:
        for bomb, words in ((path, "would unpack to"), (labels, "too many for 21 labels"), (head, "would unpack to")):
            with pytest.raises(UserError, match=words):
                open_data(bomb, 16)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("share", [0.2, 0.4, 0.9])
def test_a_damaged_archive_is_one_sentence_and_leaves_nothing(tmp_path: Path, share: float) -> None:
    path = medmnist(tmp_path / "dermamnist.npz")
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 16
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read.*download it again"):
        open_data(path, 16, cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/images/*"))


@pytest.mark.parametrize(
    ("table", "content"),
    [
        ("ISIC_2019_Training_GroundTruth.csv", b"image,MEL\n"),
        ("fitzpatrick17k.csv", b"md5hash\n"),
        ("fitzpatrick17k.csv", b"\xff\xfe\x00\x80"),
    ],
)
def test_a_damaged_table_is_one_sentence(tmp_path: Path, table: str, content: bytes) -> None:
    (tmp_path / table).write_bytes(content)
    with pytest.raises(UserError, match="download it again"):
        open_data(tmp_path, 16)


def test_flaws_of_single_images_are_named(fitzpatrick: Path) -> None:
    images = fitzpatrick / "images"
    picture(1).convert("CMYK").save(images / f"{1:032x}.JPG")
    picture(2).convert("L").save(images / f"{2:032x}.jpg")
    whole = (images / f"{3:032x}.JPG").read_bytes()
    (images / f"{3:032x}.JPG").write_bytes(whole[: len(whole) // 2])
    data = open_data(fitzpatrick, 16)
    assert len(data) == 32
    assert [file for file, reason in data.skipped if "runcated" in reason] == [f"images/{3:032x}.JPG"]


@pytest.mark.parametrize(
    ("layout", "name", "rows"),
    [
        ("tree", "folder", {"angioma": (10, 10), "mole": (6, 6), "scar": (4, 4)}),
        ("ham", "ham10000", {"bkl": (10, 5), "mel": (10, 5), "nv": (10, 5), "vasc": (10, 5)}),
        ("isic", "isic2019", {"MEL": (2, 2), "NV": (3, 1), "SCC": (1, 1)}),
        (
            "fitzpatrick",
            "fitzpatrick17k",
            {"benign dermal": (10, 10), "inflammatory": (12, 12), "malignant epidermal": (11, 11)},
        ),
        ("pad", "pad-ufes-20", {"BCC": (12, 3), "MEL": (12, 3), "NEV": (16, 4)}),
        ("odir", "odir-5k", {"N": (14, 7), "D": (14, 7), "G": (12, 6)}),
        ("medmnist", "retinamnist", {"0": (9, 9), "1": (8, 8), "2": (6, 6), "3": (6, 6), "4": (6, 6)}),
    ],
)
def test_inspect_prints_what_each_layout_holds(
    layout: str, name: str, rows: dict[str, tuple[int, int]], request: pytest.FixtureRequest, tmp_path: Path, hqgan
) -> None:
    """By class: images, groups, and sides that add up to the images."""
    if layout == "pad":
        root = pad(tmp_path, ("images/imgs_part_1", "images/imgs_part_2"))
    elif layout == "medmnist":
        root = medmnist(tmp_path / "retinamnist_64.npz")
    else:
        root = request.getfixturevalue(layout)
        root = root() if layout == "ham" else root
    code, out, err = hqgan("data", "inspect", root, "--size", "32")
    assert code == 0, err
    total = sum(images for images, _ in rows.values())
    assert f"{name}, {total} images of" in out
    printed = {}
    for line in out.splitlines():
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if len(cells) == 6 and cells[1].isdecimal():
            images, groups, *sides = map(int, cells[1:])
            assert sum(sides) == images
            printed[cells[0]] = (images, groups)
    assert printed.pop("all")[0] == total
    assert list(printed) == list(rows)
    assert printed == rows


@pytest.mark.parametrize("table", ["none", "latin-1"])
@pytest.mark.parametrize("layout", ["pad", "odir"])
def test_parts_of_a_data_set_are_not_taken_for_classes(
    layout: str, table: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Its table is missing, or in another encoding."""
    if layout == "pad":
        root, name = pad(tmp_path, ("images/imgs_part_1", "images/imgs_part_2")), "metadata.csv"
    else:
        root, name = request.getfixturevalue("odir"), "full_df.csv"
    path = root / name
    if table == "none":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + "\u00e9".encode("latin-1"))
    with pytest.raises(UserError, match="looks like (PAD|ODIR)|lacks the columns|not a readable table"):
        open_data(root, 16)


def test_isic_without_its_table_is_not_taken_for_two_classes(tmp_path: Path) -> None:
    for folder in ("ISIC_2019_Training_Input", "ISIC_2019_Test_Input"):
        write(tmp_path / "isic" / folder / "ISIC_0000000.jpg")
    with pytest.raises(UserError, match="looks like ISIC 2019 without its ISIC_2019_Training_GroundTruth.csv"):
        open_data(tmp_path / "isic", 16)


def test_odir_takes_the_preprocessed_photographs(odir: Path) -> None:
    for path in sorted((odir / "preprocessed_images").iterdir()):
        (odir / "ODIR-5K" / "Training Images").mkdir(parents=True, exist_ok=True)
        picture(1, 60, 40).save(odir / "ODIR-5K" / "Training Images" / path.name)
    data = open_data(odir, 16)
    assert len(data) == 40
    assert {str(Path(file).parent) for file in data.files} == {"preprocessed_images"}


def test_a_label_that_no_list_of_classes_could_hold(tmp_path: Path) -> None:
    labels = np.array([0] * 20 + [10**10], np.int64)
    with pytest.raises(UserError, match="label 10000000000, and othermnist knows 1000 classes at most"):
        open_data(medmnist(tmp_path / "othermnist.npz", train_labels=labels), 16)


def test_an_id_of_thousands_of_characters_is_refused(tmp_path: Path) -> None:
    root = pad(tmp_path, (".",))
    table = root / "metadata.csv"
    table.write_text(table.read_text().replace("PAT_3,", "P" * 100_000 + ","))
    with pytest.raises(UserError, match="id is 100,000 characters long"):
        open_data(root, 16)


def test_fitzpatrick_without_a_label_is_left_out(fitzpatrick: Path) -> None:
    table = fitzpatrick / "fitzpatrick17k.csv"
    table.write_text(table.read_text().replace("psoriasis,inflammatory", "psoriasis,", 2))
    data = open_data(fitzpatrick, 16)
    assert "" not in data.classes
    assert ("fitzpatrick17k.csv/", "2 of its 40 images have no nine_partition_label") in data.skipped
