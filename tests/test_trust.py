"""Files from strangers: nothing in them is run, no name in them leads out of its folder."""

import ast
import hashlib
import json
import pickle
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

import hqgan
from hqgan.data import open_data
from hqgan.errors import UserError
from hqgan.io.files import unfit_class
from hqgan.sampling.generate import generate
from hqgan.sampling.load import load
from hqgan.training import checkpoint

SOURCES = sorted(Path(hqgan.__file__).parent.rglob("*.py"))
RUNS_PROGRAMS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def keyword(call, name):
    return next((k.value.value for k in call.keywords if k.arg == name and isinstance(k.value, ast.Constant)), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_source_loads_what_can_hold_a_program(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & RUNS_PROGRAMS
    names = {
        (node.module, alias.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert not names & {("torch", "load"), ("numpy", "load"), ("torch.jit", "load"), ("torch.hub", "load")}
    for call in calls(tree):
        match ast.unparse(call.func):
            case "torch.load":
                assert keyword(call, "weights_only") is True
            case "np.load" | "npy.read_array":
                assert keyword(call, "allow_pickle") is False
            case "eval" | "exec" | "compile" | "torch.jit.load" | "torch.hub.load":
                pytest.fail(f"{path.name}:{call.lineno} {ast.unparse(call)}")


class Planted:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("place", ["images-1.json", "images-1.safetensors"])
def test_a_pickle_named_as_a_checkpoint_is_refused_unread(tiny_run, tmp_path, place):
    tensors, values = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"))
    path = checkpoint.write(tmp_path / "run" / "checkpoints", "images-1", tensors, values)
    evil = pickle.dumps(Planted(tmp_path / "touched"))
    if place.endswith(".safetensors"):
        # As large as the true one, and the JSON signed again for it.
        whole = evil + bytes(path.with_suffix(".safetensors").stat().st_size - len(evil))
        path.with_suffix(".safetensors").write_bytes(whole)
        signed = {**checkpoint.read_values(path), "sha256": hashlib.sha256(whole).hexdigest()}
        path.write_text(json.dumps({**signed, "json_sha256": checkpoint._digest(signed)}))
    else:
        path.write_bytes(evil)
    with pytest.raises(UserError, match="is damaged"):
        load(tmp_path / "run")
    assert not (tmp_path / "touched").exists()


def test_a_pickle_in_an_archive_of_arrays_is_refused_unread(tmp_path):
    array = np.array([Planted(tmp_path / "touched")], dtype=object)
    parts = {f"{side}_{what}": array for side in ("train", "val", "test") for what in ("images", "labels")}
    np.savez(tmp_path / "dermamnist.npz", **parts)
    with pytest.raises(UserError, match="dermamnist.npz"):
        open_data(tmp_path / "dermamnist.npz", 32, cache=tmp_path / "cache")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "../evil",
        "a/b",
        "a\\b",
        "a\0b",
        "a\nb",
        "x" * 201,
        "C:",
        "con",
        "Aux.x",
        "a.",
        " a",
        "a?",
        "FIBROMA",
    ],
)
def test_class_names_that_lead_out_of_a_folder(name):
    assert unfit_class(["fibroma", name]) == name


def test_a_checkpoint_whose_classes_lead_out_of_the_folder_writes_nothing(tiny_run, tmp_path):
    tensors, values = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"))
    values["classes"][0] = "../../outside"
    checkpoint.write(tmp_path / "run" / "checkpoints", "images-1", tensors, values)
    with pytest.raises(UserError, match=r"class '../../outside', which no folder"):
        generate(load(tmp_path / "run"), {"../../outside": 1}, tmp_path / "a" / "b" / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


def test_a_checkpoint_of_a_huge_network_is_refused_before_it_is_built(tiny_run, tmp_path):
    tensors, values = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"))
    values["config"]["generator"]["encoder_channels"] = 2**16
    checkpoint.write(tmp_path / "run" / "checkpoints", "images-1", tensors, values)
    with pytest.raises(UserError, match="does not fit its own config"):
        load(tmp_path / "run")


def test_tables_with_paths_find_no_file_outside(tmp_path):
    (tmp_path / "outside.jpg").write_bytes(b"x")
    folder = tmp_path / "odir"
    folder.mkdir()
    (folder / "full_df.csv").write_text("ID,labels,filename\n1,['N'],../outside.jpg\n2,['D'],/etc/passwd\n")
    with pytest.raises(UserError, match="missing"):
        open_data(folder, 32, cache=tmp_path / "cache")


TOKEN = "hf_ThisIsAPlantedToken1234567890"


def test_tokens_are_never_written(tiny_run, tmp_path, monkeypatch, hqgan, tiny_changes):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "QISKIT_IBM_TOKEN", "IBM_QUANTUM_TOKEN"):
        monkeypatch.setenv(name, TOKEN)
    assignments = [part for k, v in tiny_changes.items() for part in ("--set", f"{k}={json.dumps(v)}")]
    code, out, err = hqgan("train", "--preset", "demo", "--out", tmp_path / "run", *assignments)
    assert code == 0
    more = hqgan("generate", tmp_path / "run", "--per-class", 1, "--out", tmp_path / "out")
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 15
    for text in (out, err, *more[1:]):
        assert TOKEN not in text
    assert not [p for p in files if TOKEN.encode() in p.read_bytes()]


def test_class_names_stay_in_their_folder_on_windows():
    for name in ("nevus", "basal cell carcinoma", "Mélanome", "a-b_c.d"):
        assert unfit_class(["fibroma", name]) is None
        assert PureWindowsPath("D:/images") / name == PureWindowsPath(f"D:/images/{name}")
    assert PureWindowsPath("D:/images") / "C:" != PureWindowsPath("D:/images/C:")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("images", "3", "field 'images'"),
        ("step", True, "field 'step'"),
        ("classes", ["a", "A"], "class 'A'"),
        ("bytes", 10**400, "damaged"),
        (
            "data",
            {"name": "x", "licence": "y", "fingerprint": "z", "training_images": [1.5, 2]},
            "field 'data.training_images",
        ),
    ],
)
def test_facts_of_another_kind_are_a_sentence(tiny_run, tmp_path, field, value, words):
    tensors, values = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"))
    if field == "classes":
        values["data"]["training_images"] = [1, 1]
    path = checkpoint.write(tmp_path / "run" / "checkpoints", "images-1", tensors, {**values, field: value})
    if field == "bytes":
        signed = {**checkpoint.read_values(path), "bytes": value}
        path.write_text(json.dumps({**signed, "json_sha256": checkpoint._digest(signed)}))
    with pytest.raises(UserError, match=words):
        load(tmp_path / "run")
