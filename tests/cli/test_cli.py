"""The command line: what it prints, and one sentence and exit code 2 for bad input."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from refusals import sentence_of


def write_images(folder, count=12, seed=0):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(folder / f"{i}.png")


@pytest.fixture
def photos(tmp_path):
    for seed, name in enumerate(("mole", "wart")):
        write_images(tmp_path / "photos" / name, seed=seed)
    return tmp_path / "photos"


def test_missing_path(hqgan, tmp_path):
    text = sentence_of(hqgan("train", "--data", tmp_path / "nowhere", "--out", tmp_path / "run"))
    assert f"no folder {tmp_path / 'nowhere'}" in text
    assert not (tmp_path / "run").exists()


def test_empty_folder(hqgan, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "is empty" in sentence_of(hqgan("train", "--data", tmp_path / "empty", "--out", tmp_path / "run"))


def test_text_file_named_jpg_is_left_out_by_name_and_too_many_are_an_error(hqgan, photos):
    (photos / "mole" / "notes.jpg").write_text("not an image")
    write_images(photos / "third", 20, seed=3)
    code, out, _ = hqgan("data", "inspect", photos)
    assert code == 0
    assert "mole/notes.jpg" in out
    for i in range(5):
        (photos / "mole" / f"more{i}.jpg").write_text("not an image")
    text = sentence_of(hqgan("data", "inspect", photos))
    assert "cannot be used, more than 5%" in text
    assert "mole/more0.jpg" in text


def test_one_class_only(hqgan, photos, tmp_path):
    shutil.rmtree(photos / "wart")
    text = sentence_of(hqgan("train", "--data", photos, "--out", tmp_path / "run"))
    assert "one class only ('mole')" in text


def test_unknown_class(hqgan, tiny_run, tmp_path):
    text = sentence_of(hqgan("generate", tiny_run, "--class", "df=3", "--out", tmp_path / "out"))
    assert "no class 'df' in this run; its classes are actinic, basal" in text
    assert not (tmp_path / "out").exists()


def test_resume_with_another_config(hqgan, tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    text = sentence_of(hqgan("train", "--out", tmp_path / "run", "--resume", "--set", "training.batch=16"))
    assert "training.batch: 8 / 16" in text


def test_checkpoint_cut_short(hqgan, tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    newest = sorted((tmp_path / "run" / "checkpoints").glob("*.safetensors"))[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    for command in (
        ("train", "--out", tmp_path / "run", "--resume"),
        ("generate", tmp_path / "run", "--per-class", 1, "--out", tmp_path / "out"),
    ):
        text = sentence_of(hqgan(*command))
        assert "is damaged (1000 of" in text
        assert "to go on from images-000000048" in text
    assert newest.stat().st_size == 1000


def test_unknown_field_and_preset(hqgan, tmp_path):
    text = sentence_of(hqgan("train", "--out", tmp_path / "run", "--set", "training.lr_critc=1"))
    assert "did you mean training.lr_critic?" in text
    assert "no preset 'x'" in sentence_of(hqgan("train", "--out", tmp_path / "run", "--preset", "x"))


def test_debug_shows_the_traceback(hqgan, tmp_path):
    from hqgan.errors import UserError

    with pytest.raises(UserError):
        hqgan("data", "inspect", tmp_path / "nowhere", "--debug")


def test_train_resume_and_generate(hqgan, set_options, tmp_path):
    code, out, err = hqgan("train", "--preset", "demo", *set_options, "--out", tmp_path / "run", "--seed", 3)
    assert code == 0, err
    assert "The run is in" in out
    code, _, err = hqgan("train", "--out", tmp_path / "run", "--resume", "--kimg", "0.08")
    assert code == 0, err
    assert "resuming at 64 images" in err
    code, out, err = hqgan("generate", tmp_path / "run", "--class", "fibroma=2", "--out", tmp_path / "out")
    assert code == 0, err
    assert len(list((tmp_path / "out" / "fibroma").glob("*.png"))) == 2


def test_presets_json(hqgan, tmp_path):
    code, out, _ = hqgan("presets", "--json", tmp_path / "p.json")
    assert code == 0
    assert "stylegan2-ada" in out
    rows = json.loads((tmp_path / "p.json").read_text())
    assert {"paper", "hqgan", "dcgan", "demo"} <= set(rows)
    keys = {"generator_parameters", "quantum_parameters", "critic_parameters", "qubits", "depth", "sub_generators"}
    assert all(keys <= set(row) for row in rows.values())


def test_config_prints_every_field_with_its_value_and_help(hqgan, tmp_path):
    code, out, _ = hqgan("config", "paper", "--set", "training.batch=12", "data.size=64", "--json", tmp_path / "c.json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "c.json").read_text())}
    assert rows["training.loss"] == {"name": "training.loss", "value": "wgan-gp", "help": "Adversarial loss."}
    assert rows["training.batch"]["value"] == 12
    assert all(name in out for name in rows)
    assert "did you mean" in sentence_of(hqgan("config", "--set", "training.lr_critc=1"))


def test_evaluate_a_run_and_a_folder_of_its_images(hqgan, tiny_run, tmp_path):
    code, out, err = hqgan("evaluate", tiny_run, "--all", "--json", tmp_path / "m.json")
    assert code == 0, err
    result = json.loads((tmp_path / "m.json").read_text())
    row = result["metrics"][0]
    assert {"key", "class", "value", "low", "high", "real_reference", "baseline", "normalised", "n"} <= set(row)
    assert "real vs. real" in out
    assert "PCA-Gaussian" in out
    hqgan("generate", tiny_run, "--per-class", 6, "--out", tmp_path / "out")
    text = sentence_of(hqgan("evaluate", tmp_path / "out"))
    assert "name the real images to compare it with by --data" in text


def test_a_pickle_is_refused_unread(hqgan, tmp_path):
    marker = tmp_path / "executed"
    (tmp_path / "model.json").write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    text = sentence_of(hqgan("generate", tmp_path / "model.json", "--per-class", 1, "--out", tmp_path / "out"))
    assert "is damaged" in text
    assert not marker.exists()


def test_module_runs_and_help_needs_no_torch():
    done = subprocess.run([sys.executable, "-m", "hqgan", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "train" in done.stdout
    code = (
        "import sys; sys.argv = ['hqgan', '--help']\n"
        "try:\n    import hqgan.cli.main; hqgan.cli.main.main()\n"
        "finally:\n    assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_full_disk_while_training_and_generating(hqgan, tiny_run, set_options, tmp_path, monkeypatch):
    import errno

    from hqgan.run import hooks as run_hooks
    from hqgan.sampling import generate

    def full(path, *rest, **more):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(run_hooks, "write_png", full)
    text = sentence_of(hqgan("train", "--preset", "demo", *set_options, "--out", tmp_path / "run"))
    assert "No space left on device" in text
    assert "the last good checkpoint is" in text
    assert "--resume" in text
    monkeypatch.setattr(generate, "write_png", full)
    text = sentence_of(hqgan("generate", tiny_run, "--per-class", 1, "--out", tmp_path / "out"))
    assert "No space left on device" in text
