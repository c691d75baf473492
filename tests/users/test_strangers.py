"""Files that strangers, spreadsheets and editors have touched: refused with a sentence, or used as what they are."""

import csv
import io

import pytest

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
    import numpy as np
    from PIL import Image

    import hqgan as package

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
