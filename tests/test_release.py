"""What is released: one version, a small wheel with all it needs and nothing else, and a shell that completes it."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import hqgan as package

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def hqgan_in_a_process(*arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    start = ["-c", code] if code else ["-m", "hqgan"]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    (path,) = out.iterdir()
    assert path.name == f"hqgan-{package.__version__}-py3-none-any.whl"
    assert path.stat().st_size < 1_000_000
    return zipfile.ZipFile(path)


def test_the_wheel_has_the_package_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    kept = {".py", ".html", ".css", ".typed", ".md"}
    assert names == {p.relative_to(source).as_posix() for p in (source / "hqgan").rglob("*") if p.suffix in kept}
    assert {"hqgan/py.typed", "hqgan/report/report.html"} <= names
    licence = next(name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_says_what_it_is(wheel):
    path = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    said = email.message_from_bytes(wheel.read(path))
    assert said["Version"] == package.__version__
    assert said["License-Expression"] == "Apache-2.0"
    assert set(said.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    entry = wheel.read(path.replace("METADATA", "entry_points.txt")).decode()
    assert "hqgan = hqgan.cli.main:main" in entry


def test_the_version_stands_in_one_place(hqgan):
    assert hqgan("--version") == (0, f"hqgan {package.__version__}\n", "")
    assert PROJECT["dynamic"] == ["version"]
    assert f"\nversion: {package.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_extra_that_a_text_or_a_sentence_names_is_there():
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    named = {extra for path in texts for extra in re.findall(r"hqgan\[([a-z,]+)\]", path.read_text())}
    assert {extra for group in named for extra in group.split(",")} <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_completion_is_printed(shell):
    # Which shell runs the tests must not matter.
    done = hqgan_in_a_process("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0, done.stderr
    assert "_HQGAN_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hqgan tra", ["train"]),
        ("hqgan train --preset hqgan-ml", ["hqgan-mlp", "hqgan-mlp-wide"]),
        ("hqgan circuits draw pq", ["pqwgan"]),
        ("hqgan compare --presets stylegan", ["stylegan2-ada"]),
    ],
)
def test_commands_and_presets_are_completed_without_torch(line, expected):
    code = "import sys; from hqgan.cli.main import main\ntry: main()\nfinally: print('torch' in sys.modules, file=sys.stderr)"
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = hqgan_in_a_process(code=code, _HQGAN_COMPLETE="complete_bash", **words)
    assert done.stdout.split() == expected
    assert done.stderr.strip() == "False"
