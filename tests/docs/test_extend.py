"""The worked examples of docs/extend, carried out in a copy of the package: their files, changes, tests and commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_code
from markdown_blocks import ROOT, Block, blocks, commands

PAGES = sorted((ROOT / "docs" / "extend").glob("*.md"))

CARRY_OUT = """
import json, sys
import pytest
from hqgan.cli import main as cli
for words in json.load(sys.stdin):
    print(">", *words, flush=True)
    if words[0] == "pytest":
        assert pytest.main(["-q", "-p", "no:cacheprovider", *words[1:]]) == 0
    else:
        sys.argv = words
        try:
            cli.main()
        except SystemExit as stop:
            assert not stop.code, stop.code
"""
"""What carries out commands in one process, which loads torch once."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def put(block: Block, root: Path) -> None:
    """Write a new file, or change one: what a block shows of it before has to stand there once and once only."""
    path = root / block.title
    if block.language == "python":
        assert not path.exists(), f"{block}: {block.title} is there already"
        path.write_text(block.text)
        return
    assert block.language == "diff", f"{block}: a titled block is a file or a change of one"
    lines = block.text.splitlines(keepends=True)
    assert all(line[0] in " +-" for line in lines), f"{block}: a line of a change begins with a blank, + or -"
    before, after = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    text = path.read_text()
    assert text.count(before) == 1, f"{block}: {block.title} has this {text.count(before)} times, not once:\n{before}"
    path.write_text(text.replace(before, after))


def test_the_worked_examples_work(copy):
    todo: list[list[str]] = []
    for page in PAGES:
        changed = False
        for block in blocks(page):
            changed = changed or bool(block.title)
            if block.title:
                put(block, copy)
            elif changed and block.language == "sh":
                for words in commands(block, {}):
                    assert words[0] in ("pytest", "hqgan"), f"{block}: {words}"
                    todo.append(words if words[0] == "pytest" else ["hqgan", *test_code.small(words[1:], {})])
    assert len(todo) >= len(PAGES)
    done = subprocess.run(
        [sys.executable, "-c", CARRY_OUT],
        input=json.dumps(todo), capture_output=True, text=True, check=False, cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_a_change_that_no_longer_fits_is_found(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(AssertionError, match="0 times, not once"):
        put(Block(ROOT / "README.md", 1, "diff", "a.py", "-x = 2\n+x = 3\n", ""), tmp_path)
