"""Files written by the tree of commit 7cff2e3 load, evaluate, report and resume; `old_files/README.md` says how they were made.

Nothing here names what stands inside the package: it is called as ``python -m hqgan`` calls it, and by `hqgan.load`.
"""

import hashlib
import json
import os
import re
import runpy
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hqgan

OLD = Path(__file__).parent / "old_files"
WRITTEN_BY = "2.13.0+cpu"
"""The torch that the old files were written with: with the same one, images and measurements are the same to the last bit."""
DIGEST = "8a0b1e53f25f7758c1fcd59559c264f960deaddb94a95bc53c6bc3d75bf4c0ea"
"""SHA-256 of the uint8 images that the old tree made by ``hqgan.load("run").generate(3, seed=5)``."""

# The old commands. Where an option takes another form, the form changes here and the meaning does not.
DATA = ("--data", "demo:480", "--classes", "nevus,melanoma")
USES = ("mixed", "capped", "agreed", "dense", "pretrain", "only")
STUDY = ("study", *DATA, "--out", "study", "--size", 32, "--seeds", 1, "--given", "run", "--generators", "pca-gaussian",
         "--fill", "melanoma", "--ratios", 0.5, "--steps", 10, *(x for use in USES for x in ("--uses", use)))  # fmt: skip
COMPARE = ("compare", *DATA, "--out", "compare", "--size", 32, "--seeds", 1, "--kimg", 0.016, "--images", 40,
           "--presets", "hqgan", "--presets", "hqgan:generator.branch=none")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _machine(tmp_path_factory):
    """One thread, and a cache of decoded images and extractors that the tests here share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HQGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def old(tmp_path, monkeypatch):
    """Unpack fixtures into the working folder, an empty one; all their files are of 1970."""
    monkeypatch.chdir(tmp_path)

    def unpack(*names: str) -> Path:
        for name in names:
            with tarfile.open(OLD / f"{name}.tar.xz") as archive:
                archive.extractall(tmp_path, filter="data")
        return tmp_path / names[0]

    return unpack


@pytest.fixture
def run_command(capsys, monkeypatch):
    """Run ``hqgan ARGUMENTS``, which has to end with the exit code `expected`; returns everything that it printed."""

    def call(*arguments: object, expected: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["hqgan", *map(str, arguments)])
        code = 0
        try:
            runpy.run_module("hqgan", run_name="__main__")
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = "".join(capsys.readouterr())
        assert code == expected, said
        return said

    return call


def rewritten(folder: Path) -> set[str]:
    """Names of the files that were not unpacked: those are of 1970."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.stat().st_mtime > 1e6}


def numbers(values: object) -> Iterator[float]:
    """Every number in JSON values, under whatever name it stands."""
    if isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from numbers(value)
    elif isinstance(values, float):
        yield values


def lacking(wanted: list[float], found: list[float], within: float) -> list[float]:
    return [x for x in wanted if not np.isclose(found, x, rtol=within, atol=0).any()]


def assert_same_images(run: Path, expected: np.ndarray, most: float, mean: float) -> None:
    made, labels = hqgan.load(run).generate({"nevus": 1, "melanoma": 1}, seed=5)
    assert labels.tolist() == [0, 1]
    gap = np.abs(made.astype(int) - expected.astype(int))
    assert (made.dtype, made.shape) == (np.uint8, (2, 32, 32, 3))
    assert gap.max() <= most
    assert gap.mean() <= mean


def resumed(call, run: Path, *more: object) -> list[dict]:
    """Resume an old run; its metrics keep their bytes, and the lines that follow are returned."""
    before = (run / "metrics.jsonl").read_bytes()
    call("train", "--out", run.name, "--resume", *more)
    after = (run / "metrics.jsonl").read_bytes()
    assert after.startswith(before)
    return [json.loads(line) for line in after[len(before) :].splitlines()]


def test_a_run_makes_the_same_images(old):
    images, labels = hqgan.load(old("run")).generate(3, seed=5)
    names = [f"{c}/{c}-{i:05}.png" for c in ("nevus", "melanoma") for i in range(3)]
    stored = np.stack([np.asarray(Image.open(OLD / "generated" / name)) for name in names])
    assert np.abs(images.astype(int) - stored).max() <= 1
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert hashlib.sha256(stored.tobytes()).hexdigest() == DIGEST
    if torch.__version__ == WRITTEN_BY:
        assert hashlib.sha256(images.tobytes()).hexdigest() == DIGEST


def test_a_run_resumes_and_its_metrics_continue(old, run_command):
    run = old("run")
    lines = resumed(run_command, run, "--kimg", 0.192)
    assert [(line["kind"], line["step"], line["images"]) for line in lines] == [
        ("train", 20, 160), ("train", 24, 192), ("evaluate", 24, 192)]  # fmt: skip
    assert len(lines[-1]["rows"]) > 20
    assert len((run / "timing.jsonl").read_text().splitlines()) == 6
    # With the optimisers' moments left out, the mean difference is 7.
    assert_same_images(run, np.load(OLD / "resumed.npz")["run"], most=8, mean=0.5)


def test_a_run_is_evaluated_and_audited(old, run_command):
    run = old("run")
    before = json.loads((run / "evaluation.json").read_text())
    run_command("evaluate", "run", "--json", "found.json")
    run_command("audit", "run")
    assert rewritten(run) >= {"evaluation.json", "audit/audit.json"}
    found = json.loads(Path("found.json").read_text())
    assert before["checkpoint_sha256"] in json.dumps(found)
    # What needs no trained extractor is the same for any torch; the others' values are for the same one.
    rows = [r for r in before["metrics"] if r["value"]]
    same = torch.__version__ == WRITTEN_BY
    wanted = [r[key] for r in rows if same or r["view"] in ("pixels", "laplacian") for key in ("value", "low", "floor")]
    assert len(wanted) > 20
    assert not lacking([x for x in wanted if x is not None], list(numbers(found)), 1e-3)


def test_old_folders_on_one_page(old, run_command):
    old("run", "study", "compare", "private")
    run_command("report", "run", "study", "compare", "private", "-o", "page.html")
    page = Path("page.html").read_text()
    text = re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    found = [float(x.replace(",", "")) for x in re.findall(r"-?\d[\d,]*\.?\d*", text)]
    shown = {
        "an evaluation": [32.82, 28.5, 37.1, 0.00146, 12023.76],
        "an audit": [19.4, 63.5, 0.493, 0.557],
        "a study": [0.718, 0.566, 0.828, 429312],
        "a comparison": [13727.347, 12905.504, 14774.866, 53916.273, 40188.926],
        "a private run": [5.88],
    }
    assert {what: lacking(wanted, found, 1e-3) for what, wanted in shown.items()} == {what: [] for what in shown}
    assert page.count("data:image/png") >= 4
    assert page.count("<svg") >= 9


def test_a_folder_of_generated_images_is_evaluated_and_audited(run_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_command("evaluate", OLD / "generated", *DATA, "--json", "found.json")
    run_command("audit", OLD / "generated", *DATA, "--out", "audit", "--json", "audit.json")
    assert "melanoma" in Path("found.json").read_text()
    assert "of 6 generated images" in json.loads(Path("audit.json").read_text())["sentence"]


def test_a_study_makes_only_what_it_lacks(old, run_command):
    study = old("study", "run")
    arms = study / "arms" / "seed0" / "small"
    before = np.load(arms / "hqgan-only.npy")
    for path in (arms / "hqgan-only.npy", arms / "hqgan-only.json", study / "study.json"):
        path.unlink()
    kept = {p.read_bytes() for p in (study / "arms").rglob("*.*")}
    for made in ({"hqgan-only.npy", "hqgan-only.json"}, set()):  # then all is done
        run_command(*STUDY)
        assert rewritten(arms) == made
        for name in made:
            os.utime(arms / name, (0, 0))
    assert kept <= {p.read_bytes() for p in (study / "arms").rglob("*.*")}
    np.testing.assert_allclose(np.load(arms / "hqgan-only.npy"), before, atol=0.02)
    assert "429312" in (study / "study.json").read_text()
    assert (study / "study.html").exists()


def test_a_comparison_makes_only_what_it_lacks(old, run_command):
    compare = old("compare")
    before = json.loads((compare / "compare.json").read_text())
    changes = json.loads((compare / "settings.json").read_text())["changes"]
    sets = [x for k, v in changes.items() if not k.startswith("data.") for x in ("--set", f"{k}={json.dumps(v)}")]
    other, missing = sorted((compare / "results").rglob("*.json"))
    assert missing.name == "hqgan-seed0.json"
    measured = json.loads(missing.read_text())
    for path in (missing, compare / "compare.json"):
        path.unlink()
    run_command(*COMPARE, *sets)
    assert not rewritten(compare / "runs")  # neither is trained again
    assert rewritten(compare) >= {"compare.json", "compare.html", missing.relative_to(compare).as_posix()}
    found = json.loads(missing.read_text())
    assert measured["key"]["checkpoint_sha256"] in json.dumps(found)
    rows = [r["value"] for r in measured["result"]["rows"] if r["value"] and r["view"] in ("pixels", "laplacian")]
    assert not lacking(rows, list(numbers(found)), 1e-3)
    if torch.__version__ == WRITTEN_BY:  # extractors trained by another torch are others, and all is measured anew
        assert other.relative_to(compare).as_posix() not in rewritten(compare)
        after = json.loads((compare / "compare.json").read_text())
        wanted = [row["distance"][key] for row in before["data"][0]["leaderboard"] for key in ("mean", "low", "high")]
        assert not lacking(wanted, list(numbers(after)), 1e-3)


def test_a_private_run_goes_on_with_its_noise(old, run_command):
    private, expected = old("private"), np.load(OLD / "resumed.npz")
    assert_same_images(private, expected["private_before"], most=1, mean=0.1)
    assert "0.16" in run_command("train", "--out", "private", "--resume", "--kimg", 1, expected=2)
    lines = resumed(run_command, private)
    assert [(line["step"], line["images"]) for line in lines] == [(i, 16 * i) for i in range(4, 11)]
    # Another noise, or a sample of other lesions, gives other images.
    assert_same_images(private, expected["private"], most=8, mean=0.5)
    spent = json.loads(max((private / "checkpoints").glob("*.json")).read_text())["privacy"]
    assert not lacking([7.993737], list(numbers(spent)), 1e-5)  # of epsilon 8
