"""What the README shows works."""

import re
from pathlib import Path

import pytest

from hqgan import cli

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.S))
def test_python_blocks_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_commands_and_pictures_exist():
    shown = set(re.findall(r"^hqgan ([a-z]+)", README, re.M))
    merged = [group.typer_instance for group in cli.app.registered_groups if not isinstance(group.name, str)]
    commands = [command for app in (cli.app, *merged) for command in app.registered_commands]
    known = {command.name or command.callback.__name__ for command in commands}
    known |= {group.name for group in cli.app.registered_groups}
    assert shown <= known
    assert {"make demo", "make test"} <= set(re.findall(r"^(make \w+)", README, re.M))
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (Path(__file__).parents[1] / path).exists(), path
