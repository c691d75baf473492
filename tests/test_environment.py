"""The environment that everybody gets: the locks, and a torchvision that fits the locked torch."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = {path.name: path.read_text() for path in (ROOT / "requirements").glob("*.lock")}


def test_the_locks_hold_public_versions_with_hashes():
    assert LOCKS.keys() == {"base.lock", "torch.lock", "bench.lock"}
    for text in LOCKS.values():
        packages = re.findall(r"^[A-Za-z0-9_.-]+==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.M)
        assert len(packages) == len(re.findall(r"^[A-Za-z0-9]", text, re.M))
        assert "+" not in "".join(packages)  # a build that PyPI does not carry has a local version, such as 2.0+local


def test_the_locked_pair_is_installed_and_its_operators_load():
    for name in ("torch", "torchvision"):
        assert f"{name}=={importlib.metadata.version(name)} " in LOCKS["torch.lock"]
    code = """
import torch, torchvision
boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
print(torchvision.ops.nms(boxes, torch.tensor([3.0, 2, 1]), 0.5).tolist())
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[0, 2]\n"), done.stderr


def test_every_way_to_install_takes_the_same_locks():
    names = ("requirements/base.lock", "requirements/torch.lock")
    makefile, dockerfile = (ROOT / "Makefile").read_text(), (ROOT / "Dockerfile").read_text()
    assert f"LOCKS := {' '.join(names)}\n" in makefile
    assert f"--require-hashes --no-deps -r {names[0]} -r {names[1]}\n" in dockerfile
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"] == "make env"
