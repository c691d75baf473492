import errno
import json

import pytest
import torch

from hqgan.training import checkpoint
from hqgan.types import UserError

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

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(UserError, match=r"disk is full.*last good checkpoint is .*images-1.json.*--resume"):
        checkpoint.write(tmp_path, "images-2", TENSORS, {"step": 2})
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images-1.json", "images-1.safetensors"]
    assert checkpoint.read(checkpoint.latest(tmp_path))[1]["step"] == 1


def test_hash_depends_on_names_and_bytes_not_on_order():
    a = {"x": torch.tensor([1.0]), "y": torch.tensor([2.0])}
    assert checkpoint.tensors_hash(a) == checkpoint.tensors_hash(dict(reversed(a.items())))
    assert checkpoint.tensors_hash(a) != checkpoint.tensors_hash({"x": a["y"], "y": a["x"]})
