import errno
import hashlib
import json
import tracemalloc

import pytest
import torch
from safetensors.torch import save_file

from hqgan.errors import UserError
from hqgan.io.tensor_file import read_table
from hqgan.training import checkpoint

TENSORS = {"ema/w": torch.arange(6.0).reshape(2, 3), "ema/n": torch.tensor(3), "critic/b": torch.zeros(0)}


def test_comes_back_as_it_was(tmp_path):
    path = checkpoint.write(tmp_path, "images-1", TENSORS, {"step": 5})
    tensors, values = checkpoint.read(path)
    assert values["step"] == 5
    assert all(torch.equal(tensors[k], v) and tensors[k].dtype == v.dtype for k, v in TENSORS.items())
    only, _ = checkpoint.read(path, "ema/")
    assert set(only) == {"w", "n"}


def test_old_ones_go_once_newer_ones_are_there(tmp_path):
    for i in range(4):
        checkpoint.write(tmp_path, f"images-{i}", TENSORS, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "images-2.json", "images-2.safetensors", "images-3.json", "images-3.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_cut_short(tmp_path, keep):
    checkpoint.write(tmp_path, "images-1", TENSORS, {})
    path = checkpoint.write(tmp_path, "images-2", TENSORS, {})
    file = path.with_suffix(".safetensors")
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"damaged \(\d+ of \d+ bytes\); move images-2.\* away to go on from images-1"):
        checkpoint.read(path)


def test_one_flipped_bit(tmp_path):
    path = checkpoint.write(tmp_path, "images-1", TENSORS, {})
    file = path.with_suffix(".safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match="SHA-256.*no older one"):
        checkpoint.read(path)


def test_other_tensors_than_listed(tmp_path):
    path = checkpoint.write(tmp_path, "images-1", TENSORS, {})
    values = json.loads(path.read_text())
    values["tensors"]["ema/w"][1] = [3, 2]
    del values["json_sha256"]
    values["json_sha256"] = checkpoint._digest(values)
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="other tensors than its JSON lists"):
        checkpoint.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"bytes": 1}', "\xff"])
def test_damaged_json(tmp_path, text):
    path = checkpoint.write(tmp_path, "images-1", TENSORS, {})
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.read(path)


def test_full_disk_leaves_the_last_one_and_no_scraps(tmp_path, monkeypatch):
    checkpoint.write(tmp_path, "images-1", TENSORS, {"step": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"disk is full.*last good checkpoint is .*images-1.json.*`resume`"):
        checkpoint.write(tmp_path, "images-2", TENSORS, {"step": 2})
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images-1.json", "images-1.safetensors"]
    assert checkpoint.read(checkpoint.latest(tmp_path))[1]["step"] == 1


def crafted(path, table, body=b""):
    """A checkpoint whose tensors file has this table, and whose JSON agrees with its size and hash."""
    head = table if isinstance(table, bytes) else json.dumps(table).encode()
    file = path.with_suffix(".safetensors")
    file.write_bytes(len(head).to_bytes(8, "little") + head + body)
    values = json.loads(path.read_text())
    del values["json_sha256"]
    values |= {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    path.write_text(json.dumps({**values, "json_sha256": checkpoint._digest(values)}))


HUNDRED_TIB = 100 * 2**40


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"w": {"dtype": "F32", "shape": [HUNDRED_TIB // 4], "data_offsets": [0, HUNDRED_TIB]}}, "claim 109,951,162"),
        ({"w": {"dtype": "F32", "shape": [HUNDRED_TIB], "data_offsets": [0, 4]}}, "entry of tensor 'w'"),
        ({"w": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}, "entry of tensor 'w'"),
        ({"w": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, "entry of tensor 'w'"),
        ({"w": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}, "entry of tensor 'w'"),
        ({"w": 1}, "entry of tensor 'w'"),
        (
            {k: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for k in "vw"},
            "overlap or leave gaps",
        ),
        ({"__metadata__": 5}, "its notes are no texts"),
        ({"__metadata__": {"a": 1}}, "its notes are no texts"),
        ({"w": {"dtype": "F32", "shape": [], "data_offsets": [False, 4]}}, "entry of tensor 'w'"),
        ("{}".encode("utf-16"), "no JSON"),
        ([], "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
    ],
)  # fmt: skip
def test_a_crafted_table_is_refused_before_there_is_memory_for_it(tmp_path, table, words):
    path = checkpoint.write(tmp_path, "images-1", TENSORS, {})
    crafted(path, table, b"1234")
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=words):
            checkpoint.read(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("head", [b"", b"1234567", HUNDRED_TIB.to_bytes(8, "little"), b"\xff" * 8])
def test_a_table_longer_than_its_file_is_refused(tmp_path, head):
    file = tmp_path / "x.safetensors"
    file.write_bytes(head)
    with pytest.raises(ValueError, match="its table claims"):
        read_table(file)


def test_the_table_is_what_the_library_reads(tmp_path):
    kinds = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16]
    tensors = {str(k): torch.zeros(3, i, dtype=k) for i, k in enumerate([*kinds, torch.float32, torch.float64])}
    save_file(tensors, tmp_path / "x.safetensors", {"note": "metadata"})
    assert read_table(tmp_path / "x.safetensors") == {
        k: [k.removeprefix("torch."), list(v.shape)] for k, v in tensors.items()
    }


def test_hash_depends_on_names_and_bytes_not_on_order():
    a = {"x": torch.tensor([1.0]), "y": torch.tensor([2.0])}
    assert checkpoint.tensors_hash(a) == checkpoint.tensors_hash(dict(reversed(a.items())))
    assert checkpoint.tensors_hash(a) != checkpoint.tensors_hash({"x": a["y"], "y": a["x"]})


def test_facts_of_gigabytes_are_refused_unread(tmp_path):
    import tracemalloc

    path = checkpoint.write(tmp_path, "images-1", TENSORS, {})
    with path.open("r+b") as stream:
        stream.truncate(40 * 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="more than the 17 that are read"):
            checkpoint.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_tensors_whose_json_is_gone_go_too(tmp_path):
    """Killed between removing the two; what people named otherwise stays."""
    for name in ("images-0.safetensors", "best.safetensors"):
        (tmp_path / name).touch()
    checkpoint.write(tmp_path, "images-1", TENSORS, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.safetensors", "images-1.json", "images-1.safetensors"]
