"""Tables as people have them: a CSV file as a data set, patients beside folders, splits made by hand, names of all kinds."""

import json

import numpy as np
import pytest
from PIL import Image


def save(path, seed):
    """A picture of coarse squares, unlike any other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(cells.repeat(10, 0).repeat(10, 1)).save(path)
    return path


@pytest.fixture
def inspect(hqgan, tmp_path):
    """What ``hqgan data inspect`` finds, as JSON, and what it prints."""

    def call(*arguments):
        code, out, err = hqgan("data", "inspect", *arguments, "--size", 32, "--json", tmp_path / "found.json")
        assert code == 0, err
        return json.loads((tmp_path / "found.json").read_text()), " ".join(out.split())

    return call


@pytest.fixture
def train(hqgan, set_options, tmp_path):
    """Train a few steps of a tiny model on other data than the procedural ones; gives the run."""
    at = next(i for i, part in enumerate(set_options) if part.startswith("data.path="))
    shrunk = [*set_options[: at - 1], *set_options[at + 1 :], "--preset", "demo", "--kimg", 0.008]

    def call(*arguments):
        code, _, err = hqgan("train", *shrunk, "--out", tmp_path / "run", *arguments)
        assert code == 0, err
        return tmp_path / "run"

    return call


@pytest.fixture
def refused(hqgan):
    """The sentence with which a command is refused."""

    def call(*arguments):
        code, _, err = hqgan(*arguments)
        assert code == 2, err
        return " ".join(err.split())

    return call


def counts(found):
    return {row["name"]: row["images"] for row in found["classes"]}


def sides(found):
    return [sum(row[side] for row in found["classes"]) for side in ("train", "validation", "test")]


@pytest.fixture
def tree(tmp_path):
    """Two classes, mel and nv, of twelve images each: the images 4k to 4k + 3 are of one patient."""
    for i in range(24):
        save(tmp_path / "tree" / ("mel", "nv")[i % 2] / f"{i}.png", i)
    return tmp_path / "tree"


def patients(root, named):
    rows = [f"{named(('mel', 'nv')[i % 2], i)},p{i // 4}" for i in range(24)]
    return "\n".join(["file,group", *rows]) + "\n"


@pytest.mark.parametrize("named", ["{0}/{1}.png", "{1}.png", "{1}", "photos/{0}/{1}.PNG"])
def test_groups_csv_in_a_folder_names_the_patients(named, tree, inspect):
    assert inspect(tree)[0]["groups"] == 24
    (tree / "groups.csv").write_text(patients(tree, named.format))
    assert inspect(tree)[0]["groups"] == 6


def test_a_run_keeps_the_patients_of_a_table_apart(tree, tmp_path, train):
    """``--groups FILE``, with another separator, in training."""
    table = tmp_path / "patients.csv"
    table.write_text(patients(tree, "{0}/{1}.png".format).replace(",", ";"))
    split = json.loads((train("--data", tree, "--groups", table) / "split.json").read_text())
    train_, validation, test = (
        {int(file[file.index("/") + 1 : -4]) // 4 for file in split[side]} for side in ("train", "validation", "test")
    )
    assert not train_ & test
    assert not (train_ | test) & validation
    assert len(train_ | validation | test) == 6


def test_a_table_of_groups_that_names_no_image_is_refused(tree, refused):
    (tree / "groups.csv").write_text("file,group\nother.png,p1\n")
    assert "names no image" in refused("data", "inspect", tree)


@pytest.fixture
def parted(tmp_path):
    """Two classes in folders called train, val and test."""
    for number, (side, count) in enumerate({"train": 16, "val": 6, "test": 8}.items()):
        for i in range(count):
            save(tmp_path / "parted" / side / ("mel", "nv")[i % 2] / f"{side}{i}.png", 100 * number + i)
    return tmp_path / "parted"


def test_folders_called_train_val_and_test_are_the_split(parted, inspect):
    found, printed = inspect(parted)
    assert counts(found) == {"mel": 15, "nv": 15}
    assert sides(found) == [16, 6, 8]
    assert "the split of its folders" in printed


def test_validation_is_drawn_from_train_where_there_is_no_such_folder(parted, inspect):
    (parted / "val").rename(parted.parent / "val")
    found, printed = inspect(parted)
    train, validation, test = sides(found)
    assert (train + validation, test) == (16, 8)
    assert validation >= 1
    assert "validation drawn from train" in printed


def test_one_picture_in_two_parts_is_a_leak(parted, refused):
    (parted / "test" / "nv" / "again.png").write_bytes((parted / "train" / "nv" / "train1.png").read_bytes())
    sentence = refused("data", "inspect", parted, "--size", 32)
    assert "leaks: train/nv/train1.png and test/nv/again.png are the same picture" in sentence


def test_one_patient_in_two_parts_is_a_leak(parted, refused):
    (parted / "groups.csv").write_text("file,patient\ntrain0.png,p1\ntest2.png,p1\n")
    sentence = refused("data", "inspect", parted, "--size", 32)
    assert "leaks: train/mel/train0.png and test/mel/test2.png are images of one group" in sentence


def test_near_duplicates_in_two_parts_are_warned_of(parted, inspect):
    lighter = np.asarray(Image.open(parted / "train" / "nv" / "train1.png")).astype(int) // 2 + 60
    Image.fromarray(lighter.astype(np.uint8)).save(parted / "test" / "nv" / "one.png")
    Image.fromarray((lighter + 1).astype(np.uint8)).save(parted / "train" / "nv" / "other.png")
    _, printed = inspect(parted)
    assert "1 image is a near-duplicate of one in another part of the split" in printed


def labels(tmp_path, separator=",", encoding="utf-8"):
    """A table of 24 images whose classes have names of all kinds, and the folder of the images."""
    rows = [separator.join(("Photo", "Finding", "Person", "age"))]
    for i in range(24):
        save(tmp_path / "photos" / f"{i // 10}" / f"photo{i}.png", i)
        name = ('"Melanoma, NOS"', "nevi & moles", "🙂 benign")[i % 3]
        rows.append(separator.join((f"photo{i}", name, f"p{i // 6}{i % 3}", "50")))
    (tmp_path / "labels.csv").write_bytes(("\n".join(rows) + "\n").encode(encoding))
    columns = ("--image-column", "Photo", "--label-column", "Finding", "--group-column", "Person")
    return ("--table", tmp_path / "labels.csv", *columns)


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16"), (";", "utf-16-le")]
)
def test_any_table_of_images_and_labels_is_a_data_set(separator, encoding, tmp_path, inspect):
    table = labels(tmp_path, separator, encoding)
    for place in (tmp_path / "photos", tmp_path):
        found, _ = inspect(place, *table)
        assert counts(found) == {"Melanoma, NOS": 8, "nevi & moles": 8, "🙂 benign": 8}
        assert found["groups"] == 12


def test_a_table_separated_by_semicolons_trains(tmp_path, train, hqgan, monkeypatch):
    """The table is found again from another folder; a class with a comma is generated."""
    table = labels(tmp_path, ";")
    monkeypatch.chdir(tmp_path)
    run = train("--table", "labels.csv", *table[2:], "--data", tmp_path / "photos")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = hqgan("train", "--out", run, "--resume", "--kimg", 0.08)
    assert code == 0, err
    code, _, err = hqgan("generate", run, "--out", tmp_path / "made", "--class", "Melanoma, NOS=2")
    assert code == 0, err
    assert len(list((tmp_path / "made").glob("Melanoma, NOS/*.png"))) == 2


def test_columns_are_found_by_their_names(tmp_path, inspect):
    labels(tmp_path)
    text = (tmp_path / "labels.csv").read_text().replace("Photo,Finding,Person", "Filename,dx,patient_id")
    (tmp_path / "labels.csv").write_text(text)
    found, _ = inspect(tmp_path, "--table", tmp_path / "labels.csv")
    assert (len(counts(found)), found["groups"]) == (3, 12)


def test_a_column_that_is_not_there_names_those_that_are(tmp_path, refused):
    table = labels(tmp_path)
    sentence = refused("data", "inspect", tmp_path, *table[:3], "dx", *table[4:])
    assert "--image-column" not in sentence or "'dx'" in sentence
    assert "Finding" in refused("data", "inspect", tmp_path, "--table", tmp_path / "labels.csv")
    assert "Photo" in refused("data", "inspect", tmp_path, *table[:2], "--image-column", "image")


def test_images_of_a_table_that_are_missing_are_counted(tmp_path, inspect, refused):
    table = labels(tmp_path)
    (tmp_path / "photos" / "0" / "photo1.png").unlink()
    save(tmp_path / "photos" / "unnamed.png", 99)
    _, printed = inspect(tmp_path / "photos", *table)
    assert "photo1 (missing)" in printed
    assert "1 image that no row of the table names" in printed
    (tmp_path / "photos" / "0" / "photo2.png").unlink()
    assert "cannot be used" in refused("data", "inspect", tmp_path / "photos", *table)


NAMES = ("nevus, atypical", "nevi & moles", "🙂 benign", "a,b", "👩‍⚕️ seen")


@pytest.fixture
def odd(tmp_path):
    """Classes whose names have commas, spaces, ampersands and emoji."""
    for number, name in enumerate(NAMES):
        for i in range(4):
            save(tmp_path / "odd" / name / f"{i}.png", 10 * number + i)
    return tmp_path / "odd"


def test_classes_of_any_name_can_be_chosen(odd, inspect):
    """By repeating the option, or one after another; commas still separate names without."""
    chosen = [part for name in NAMES[:4] for part in ("--classes", name)]
    assert list(counts(inspect(odd, *chosen)[0])) == list(NAMES[:4])
    assert list(counts(inspect(odd, "--classes", *reversed(NAMES))[0])) == list(reversed(NAMES))
    assert list(counts(inspect(odd, "--classes", "a,b,nevus, atypical")[0])) == ["a,b", "nevus, atypical"]


def test_classes_of_any_name_can_be_merged(odd, inspect):
    merged = ("--merge", "nevi=nevus, atypical", "--merge", "nevi=nevi & moles", "--merge", "rest, all=a,b,🙂 benign")
    found, _ = inspect(odd, *merged)
    assert counts(found) == {"nevi": 8, "rest, all": 8, "👩‍⚕️ seen": 4}
    found, _ = inspect(odd, *merged, "--classes", "rest, all", "--classes", "nevi")
    assert counts(found) == {"rest, all": 8, "nevi": 8}


def test_classes_of_any_name_are_trained_and_generated(odd, tmp_path, train, hqgan):
    run = train("--data", odd, "--classes", "nevus, atypical", "--classes", "👩‍⚕️ seen")
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["choice"]["classes"] == ["nevus, atypical", "👩‍⚕️ seen"]
    code, _, err = hqgan("generate", run, "--out", tmp_path / "made", "--per-class", 1)
    assert code == 0, err
    assert len(list((tmp_path / "made").glob("*/*.png"))) == 2


def test_a_folder_of_images_in_capital_and_small_letters_names_the_twin(tree, refused, inspect):
    (tree / "nv").rename(tree / "Mel")
    sentence = refused("data", "inspect", tree)
    assert "'Mel'" in sentence
    assert "'mel'" in sentence
    assert "--merge 'mel=Mel,mel'" in sentence
    save(tree / "bcc" / "1.png", 99)
    assert counts(inspect(tree, "--merge", "mel=Mel,mel")[0]) == {"mel": 24, "bcc": 1}


@pytest.mark.parametrize("depth", [1, 2])
def test_a_folder_round_a_data_set_names_the_folder_to_give(depth, tmp_path, refused):
    root = tmp_path.joinpath("downloads", *["HAM10000"] * depth)
    rows = ["lesion_id,image_id,dx"]
    for i in range(8):
        save(root / "HAM10000_images_part_1" / f"ISIC_{i}.jpg", i)
        rows.append(f"L{i},ISIC_{i},{('mel', 'nv')[i % 2]}")
    (root / "HAM10000_metadata.csv").write_text("\n".join(rows))
    assert f"give {root} as" in refused("data", "inspect", tmp_path / "downloads")


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-16"), (",", "utf-16-le")])
def test_a_publishers_table_saved_by_a_spreadsheet_is_read(separator, encoding, tmp_path, inspect):
    rows = ["lesion_id,image_id,dx", "patient_id,diagnostic,img_id"]
    for i in range(24):
        save(tmp_path / "ham" / f"ISIC_{i}.jpg", i)
        save(tmp_path / "pad" / "imgs_part_1" / f"PAT_{i}.png", i)
        rows += [f"L{i},ISIC_{i},{('mel', 'nv')[i % 2]}", f"P{i // 2},{('MEL', 'NEV')[i % 2]},PAT_{i}.png"]
    for part, name in (("ham", "HAM10000_metadata.csv"), ("pad", "metadata.csv")):
        text = "\n".join(rows[part == "pad" :: 2]).replace(",", separator)
        (tmp_path / part / name).write_bytes(text.encode(encoding))
    assert counts(inspect(tmp_path / "ham")[0]) == {"mel": 12, "nv": 12}
    assert counts(inspect(tmp_path / "pad")[0]) == {"MEL": 12, "NEV": 12}


def test_a_table_in_another_encoding_says_which_and_what_to_do(tmp_path, refused):
    save(tmp_path / "ham" / "ISIC_1.jpg", 1)
    (tmp_path / "ham" / "HAM10000_metadata.csv").write_bytes(
        "lesion_id,image_id,dx\nL1,ISIC_1,n\xe9vus\n".encode("cp1252")
    )
    sentence = refused("data", "inspect", tmp_path / "ham")
    assert "line 2 is not utf-8" in sentence
    assert "save it as UTF-8" in sentence


def test_a_class_without_a_number_is_shown_with_one(tiny_run, tmp_path, refused):
    assert "as in nevus=500" in refused("generate", tiny_run, "--out", tmp_path / "made", "--class", "nevus")


def test_one_image_in_two_classes_is_warned_of_with_its_files(tree, inspect):
    (tree / "nv" / "again.png").write_bytes((tree / "mel" / "4.png").read_bytes())
    _, printed = inspect(tree)
    assert "1 image is in two classes" in printed
    assert "mel/4.png and nv/again.png" in printed


@pytest.mark.parametrize("size", [16, 48, 128, 1000])
def test_inspect_takes_the_sizes_that_training_takes(size, tree, tmp_path, refused):
    """The same sentence, and nothing is written."""
    inspected = refused("data", "inspect", tree, "--size", size)
    assert inspected == refused("train", "--data", tree, "--size", size, "--out", tmp_path / "run")
    assert str(size) in inspected
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["foo", "dermanist"])
def test_a_data_set_that_nobody_publishes_lists_the_known_ones(name, tmp_path, refused):
    """Also where the package medmnist is not installed."""
    sentence = refused("data", "fetch", name, "--out", tmp_path / "data")
    for known in ("dermamnist", "retinamnist", "ham10000", "isic2019", repr(name)):
        assert known in sentence
    assert "pip install" not in sentence
