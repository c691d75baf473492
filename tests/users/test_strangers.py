"""Files that strangers, spreadsheets and editors have touched: refused with a sentence, or used as what they are."""

import csv
import hashlib
import importlib.util
import io
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hqgan as package

HEAD = ["file", "class", "latent_seed", "checkpoint_sha256", "why", "ratio", "training_file"]


def spreadsheet(text: str) -> str:
    """What a spreadsheet makes of a CSV that it opens and saves: numbers keep 15 digits."""

    def cell(value: str) -> str:
        return f"{float(value):.15g}" if value.isdecimal() and len(value) > 15 else value

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([[cell(c) for c in row] for row in csv.reader(io.StringIO(text))])
    return out.getvalue().replace("e+", "E+")


@pytest.fixture
def generated(hqgan, tiny_run, tmp_path):
    """Three generated images and the rows of their manifest."""
    code, _, err = hqgan("generate", tiny_run, "--class", "nevus=3", "--out", tmp_path / "all")
    assert code == 0, err
    return list(csv.DictReader((tmp_path / "all" / "manifest.csv").read_text().splitlines()))


def flagged(rows: list[dict[str, str]], **changes: str) -> str:
    lines = [[r["file"], r["class"], r["latent_seed"], r["checkpoint_sha256"], "copy", "0.0", "x.png"] for r in rows]
    lines = [[changes.get(name, value) for name, value in zip(HEAD, line, strict=True)] for line in lines]
    return "\n".join(",".join(line) for line in [HEAD, *lines]) + "\n"


def lists(rows):
    long = [r for r in rows if len(r["latent_seed"]) > 15]
    return {
        "rounded by a spreadsheet": (
            flagged(long[:1], latent_seed=long[0]["latent_seed"][:15] + "00"),
            "may have rounded it",
        ),
        "of another image": (flagged(rows[:1], latent_seed=rows[1]["latent_seed"]), "is not that of its image"),
        "of another class": (flagged(rows[:1], **{"class": "melanoma"}), "is not that of its image"),
        "other columns": ("name,latent_seed,checkpoint_sha256\n", "lacks the column file"),
        "semicolons": (";".join(HEAD) + "\n", "separated by commas"),
        "nothing": ("", "lacks the column"),
    }


@pytest.mark.parametrize(
    "kind",
    ["rounded by a spreadsheet", "of another image", "of another class", "other columns", "semicolons", "nothing"],
)
def test_a_list_that_would_not_leave_out_the_flagged_copy_is_refused(hqgan, tiny_run, generated, tmp_path, kind):
    text, words = lists(generated)[kind]
    (tmp_path / "flagged.csv").write_text(text)
    out = tmp_path / "out"
    code, _, err = hqgan(
        "generate", tiny_run, "--class", "nevus=3", "--drop-copies", tmp_path / "flagged.csv", "--out", out
    )
    assert code == 2
    assert words in err
    assert not out.exists()


def test_a_list_that_a_spreadsheet_has_saved_still_leaves_its_copies_out(hqgan, tiny_run, tmp_path, monkeypatch):
    """The audit's own list, through a spreadsheet."""
    module = "copying" if importlib.util.find_spec("hqgan.metrics.copying") else "privacy"  # before it had that name
    monkeypatch.setattr(f"hqgan.metrics.{module}.PERMUTATIONS", 99)
    hqgan("generate", tiny_run, "--class", "nevus=9", "--out", tmp_path / "made")
    data, split = package.load(tiny_run).data()
    rows = [i for i in split.train if data.classes[data.labels[i]] == "nevus"][:9]
    for i, row in enumerate(rows):
        Image.fromarray(np.asarray(data.images[row])).save(tmp_path / "made" / "nevus" / f"nevus-{i:05d}.png")
    code, _, err = hqgan("audit", tmp_path / "made", "--data", "demo:160", "--out", tmp_path / "audit")
    assert code == 0, err
    text = spreadsheet((tmp_path / "audit" / "flagged.csv").read_text())
    (tmp_path / "saved.csv").write_text("\ufeff" + text, encoding="utf-8")
    code, _, err = hqgan(
        "generate", tiny_run, "--class", "nevus=2", "--drop-copies", tmp_path / "saved.csv", "--out", tmp_path / "kept"
    )
    assert code == 0, err
    assert not {p.name for p in (tmp_path / "kept" / "nevus").iterdir()} & {f"nevus-{i:05d}.png" for i in range(9)}


def forge(run, **fields):
    """Change fields of the newest checkpoint's JSON, dotted names with two underscores for a dot, and sign it again."""
    path = max((run / "checkpoints").glob("images-*.json"))
    values = json.loads(path.read_text())
    del values["json_sha256"]
    for name, value in fields.items():
        *into, last = name.split("__")
        place = values
        for part in into:
            place = place[part]
        place[last] = value
    text = json.dumps(values, sort_keys=True)
    values["json_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(values))


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of a run, which may be changed."""
    return shutil.copytree(tiny_run, tmp_path / "run")


@pytest.mark.parametrize("where", ["demo:1000000", "a folder"])
def test_data_are_not_opened_on_the_word_of_a_checkpoint(hqgan, run, tmp_path, monkeypatch, where):
    """Neither painted nor walked, with a run.json that says otherwise and without any."""
    place = tmp_path / "system"
    place.mkdir()
    real, painter = os.scandir, next(m for m in list(sys.modules.values()) if hasattr(m, "paint_file"))

    def paint(*arguments):
        raise AssertionError("an image is painted")

    def walk(path="."):
        assert not str(path).startswith(str(place)), "a folder is walked"
        return real(path)

    monkeypatch.setattr(painter, "paint_file", paint)
    monkeypatch.setattr("os.scandir", walk)
    forge(run, config__data__path=str(place) if where == "a folder" else where)
    for command in (("evaluate", run), ("export", run, tmp_path / "out")):
        code, _, err = hqgan(*command)
        assert code == 2
        assert "name the run's own --data" in err
        (run / "run.json").unlink(missing_ok=True)


def test_data_of_other_counts_are_refused_before_they_are_painted(hqgan, run, monkeypatch):
    painter = next(m for m in list(sys.modules.values()) if hasattr(m, "paint_file"))

    def paint(*arguments):
        raise AssertionError("an image is painted")

    monkeypatch.setattr(painter, "paint_file", paint)
    for data in ("demo:20000", "demo:50"):
        code, _, err = hqgan("evaluate", run, "--data", data)
        assert code == 2
        assert "was not trained on" in err


def test_the_page_opens_before_its_data(hqgan, run, monkeypatch):
    """A run's data may be large, or elsewhere: neither keeps the page from opening."""
    events = []
    painter = next(m for m in list(sys.modules.values()) if hasattr(m, "paint_file"))

    def paint(*arguments):
        events.append("painted")
        raise AssertionError("an image is painted before the page is open")

    def serve(runs, taken, *more):
        events.append("open")
        taken.close()

    monkeypatch.setattr(painter, "paint_file", paint)
    pages = (
        "hqgan.serve.app" if importlib.util.find_spec("hqgan.serve") else "hqgan.page.app"
    )  # before they had one name
    monkeypatch.setattr(f"{pages}.serve", serve, raising=False)
    monkeypatch.setenv("HQGAN_CACHE", str(run / "cache"))
    code, _, err = hqgan("serve", run, "--port", 0)
    assert code == 0, err
    assert events == ["open"]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a system without /dev/zero")
def test_a_link_to_an_endless_device_is_not_read(hqgan, run, tmp_path, monkeypatch):
    """With a limit on memory, so that a package that reads on ends with an error, not with the machine."""
    resource = pytest.importorskip("resource")
    link = tmp_path / "flagged.csv"
    link.symlink_to("/dev/zero")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    try:
        code, _, err = hqgan("generate", run, "--class", "nevus=1", "--drop-copies", link, "--out", tmp_path / "out")
        assert (code, "no regular file" in err) == (2, True), err
        (run / "metrics.jsonl").unlink()
        (run / "metrics.jsonl").symlink_to("/dev/zero")
        code, _, err = hqgan("report", run, "-o", tmp_path / "page.html")
        assert (code, "no regular file" in err) == (2, True), err
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_more_images_than_memory_holds_are_refused(hqgan, run, tmp_path):
    resource = pytest.importorskip("resource")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), before[1]))
    try:
        code, _, err = hqgan("generate", run, "--class", "nevus=999999999", "--out", tmp_path / "out")
        with pytest.raises(package.UserError, match="999,999,999 images need about"):
            package.load(run).generate({"nevus": 999_999_999})
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert code == 2
    assert "999,999,999 images need about" in err
    assert "ask for at most" in err
    assert not (tmp_path / "out").exists()


LICENCE = "CC0\n\n# Approved for diagnosis\n\n<script>x</script> [here](http://x) | a | b |\x1b[31m"


def test_a_licence_is_one_line_of_text_in_the_model_card(hqgan, run, tmp_path):
    forge(run, data__licence=LICENCE, data__name="demo\n## Cleared")
    code, _, err = hqgan("generate", run, "--class", "nevus=1", "--out", tmp_path / "out")
    assert code == 0, err
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert not [line for line in card.splitlines() if "Approved" in line and line.startswith("#")]
    assert "## Cleared" not in card.splitlines()
    assert "\x1b" not in card
    assert "<script>" not in card.replace("\\<", "")
    assert "[here](" not in card.replace("\\[", "")
    assert "Approved for diagnosis" in card


def test_a_preset_is_a_known_one(hqgan, run, tmp_path):
    forge(run, config__preset="hqgan`\n# Approved")
    code, _, err = hqgan("generate", run, "--class", "nevus=1", "--out", tmp_path / "out")
    assert code == 2
    assert "there is no preset" in err
    assert not (tmp_path / "out").exists()


def test_a_class_is_no_formula_in_a_spreadsheet(hqgan, run, tmp_path):
    path = max((run / "checkpoints").glob("images-*.json"))
    names = ["=HYPERLINK(A1,'x')", "+x", "@x", "-x", "'=x"]
    classes = names + json.loads(path.read_text())["classes"][len(names) :]
    forge(run, classes=classes)
    code, _, err = hqgan("generate", run, "--per-class", 1, "--out", tmp_path / "out")
    assert code == 0, err
    rows = list(csv.DictReader((tmp_path / "out" / "manifest.csv").read_text().splitlines()))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@", "-"))]
    assert all((tmp_path / "out" / row["file"]).is_file() for row in rows)
    # and the marks are no part of the names for whoever reads them again
    (tmp_path / "flagged.csv").write_text((tmp_path / "out" / "manifest.csv").read_text())
    drop = ("--drop-copies", tmp_path / "flagged.csv")
    code, _, err = hqgan("generate", run, "--per-class", 1, *drop, "--out", tmp_path / "kept")
    assert code == 0, err
    assert {p.name for p in (tmp_path / "kept").glob("*/*.png")} == {f"{name}-00001.png" for name in classes}


BAD_LINES = (
    b'{"kind":"evaluate","rows":[]}',
    b"\xff",
    b'{"kind":"train","step":1,"images":8,"loss/critic":"low"}',
    b'{"kind":"evaluate","step":8,"images":64,"rows":[{"distance":"fd","value":"word"}]}',
    b'{"kind":"evaluate","step":8,"images":64}',
)


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_line_of_the_metrics_is_left_out_and_said(hqgan, run, tmp_path, bad):
    path = run / "metrics.jsonl"
    first, *others = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, bad, *others]) + b"\n")
    code, _, err = hqgan("report", run, "-o", tmp_path / "page.html")
    assert code == 0, err
    assert "metrics.jsonl is damaged in line 2" in " ".join(err.split())
    assert "training curves" in (tmp_path / "page.html").read_text()


@pytest.fixture
def photos(tmp_path):
    """Two classes of small pictures in a folder, one with letters that few encodings have."""
    root = tmp_path / "photos"
    for name in ("nevus", "ąć"):
        (root / name).mkdir(parents=True)
        for i in range(12):
            noise = np.random.default_rng([i, len(name)]).integers(0, 255, (8, 8, 3), np.uint8)
            Image.fromarray(noise).resize((40, 40)).save(root / name / f"{i}.png")
    return root


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_letters_that_a_terminal_lacks_are_escaped(hqgan, photos, monkeypatch, encoding):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    with monkeypatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        code, *_ = hqgan("data", "inspect", photos)
        streams["stdout"].flush()
    assert code == 0
    assert rb"\u0105\u0107" in streams["stdout"].buffer.getvalue()


def test_home_is_understood_everywhere(hqgan, run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HQGAN_CACHE", "~/c")
    code, _, err = hqgan("generate", "~/run", "--class", "nevus=1", "--out=~/gen")
    assert code == 0, err
    assert (tmp_path / "gen" / "manifest.csv").exists()
    package.load("~/run").save({"nevus": 1}, "~/saved")
    assert (tmp_path / "saved" / "manifest.csv").exists()
    assert len(package.open_data("demo:50", 32)) == 50
    assert list((tmp_path / "c").iterdir())
    assert not (tmp_path / "~").exists()


def test_data_of_a_relative_path_are_found_from_another_folder(hqgan, photos, tmp_path, monkeypatch, set_options):
    monkeypatch.chdir(tmp_path)
    pairs = zip(set_options[::2], set_options[1::2], strict=True)
    settings = [part for pair in pairs if "data.path" not in pair[1] for part in pair]
    code, _, err = hqgan(
        "train", "--data", "photos", "--preset", "demo", *settings, "--set", "training.kimg=0.008", "--out", "r"
    )
    assert code == 0, err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = hqgan("export", tmp_path / "r", tmp_path / "out")
    assert code == 0, err


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("training.decoder", "generator.decoder"), ("qubits", "generator.circuit.qubits"), ("critic.batch", "training.batch"),
     ("trainig.lr_critc", "training.lr_critic")],
)  # fmt: skip
def test_a_wrong_field_suggests_the_nearest_of_the_whole_config(hqgan, tmp_path, wrong, right):
    code, _, err = hqgan("train", "--out", tmp_path / "r", "--set", f"{wrong}=1")
    assert code == 2
    assert f"did you mean {right}?" in err
