"""Every block of code in the documentation and the README runs, as it stands, on tiny stand-ins.

Python blocks are executed in order, one namespace a page. Commands are run by the real command line where that takes seconds:
``path/to/NAME`` becomes a tiny data set, a training lasts a few steps of a small network, and a class gets two images. What would
take hours, a network or a machine is parsed by the real command line instead; `PARSED` says what and why. Blocks with a title are
changes to the package: test_extend.py.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import stand_ins
import typer
from markdown_blocks import PAGES, ROOT, Block, blocks, commands

from hqgan import config
from hqgan.cli import main as cli

PARSED = {
    "demo": "trains for minutes; tests/run/test_run.py trains its preset",
    "study": "trains classifiers; tests/experiments/study does",
    "compare": "times every contestant; tests/experiments/compare does",
    "presets": "times every preset; tests/run/test_presets.py does",
    "serve": "serves until it is stopped; tests/cli/test_cli_serve.py does, and tests/serve",
    "--dp-epsilon": "needs hundreds of lesions; tests/run/test_privacy.py trains so",
    "push": "needs the hub; tests/sampling/test_hub.py has a stand-in",
    "data fetch": "needs the network; tests/data/test_fetch.py has a stand-in",
    "circuits noise": "simulates a machine; tests/evaluation/test_hardware_noise.py does",
    "circuits gradients": "samples hundreds of circuits",
    "--install-completion": "writes into the user's own files",
    "--check-extractors": "trains and checks every feature extractor; tests/metrics does",
    "--machine": "transpiles to a machine",
    "--backend": "simulates a machine, or needs one; tests/sampling/test_generate.py and tests/circuits do",
    "hf:": "needs the hub; tests/sampling/test_hub.py has a stand-in",
    "torchrun": "starts processes; tests/training/test_distributed.py does",
}
"""Commands, options and the like that are parsed only, and why."""

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
INSTALLED = {f"hqgan[{extra}]" for extra in EXTRAS}

IN_MINUTES = {"presets", "circuits gradients", "--machine", "--backend"}
"""Of these, what the slow test carries out, real machines aside."""

RECORDS = [*(ROOT / "docs" / "results").glob("*.md"), ROOT / "docs" / "lab.md"]
"""Pages that say how something was made, on real data and for hours: their commands are parsed only."""
PRINTED = [*RECORDS, ROOT / "docs" / "architecture.md"]
"""Pages that show what commands printed, or trees of files, in blocks without a language."""

WITH_CODE = [page for page in PAGES if blocks(page)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stand_ins.make(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("page", WITH_CODE, ids=[str(page.relative_to(ROOT)) for page in WITH_CODE])
def test_code(page, data, hqgan, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    carry_out(page, data, hqgan, tiny_run)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/concepts.md", "docs/hardware.md"])
def test_code_that_takes_minutes(name, data, hqgan, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for key in IN_MINUTES:
        monkeypatch.delitem(PARSED, key)
    monkeypatch.setitem(PARSED, "ibm:", "needs a machine")
    carry_out(ROOT / name, data, hqgan, tiny_run)


def carry_out(page: Path, data: dict[str, Path], hqgan, tiny_run: Path) -> None:
    """Every block of a page, in the current folder."""
    # Blocks that change the package are put into a copy of it, with all that follows them (test_extend.py).
    namespace: dict[str, object] = {}
    variables: dict[str, str] = {}
    for block in blocks(page):
        if block.title:
            break
        for folder in re.findall(r"needs: (\S+)", block.note):
            shutil.copytree(tiny_run, folder)
        match block.language:
            case "python":
                exec(compile(block.text, str(block), "exec"), namespace)
            case "sh":
                for words in commands(block, variables):
                    do(words, block, data, hqgan)
            case "slurm":  # a script of a machine that has Slurm; its one command is parsed
                (line,) = re.findall(r"^srun (.*)$", block.text.replace("\\\n", " "), re.M)
                do(line.split(), block, data, hqgan)
            case "text" if block.text.startswith("path/to/"):
                check_tree(block, data)
            case "":
                assert page in PRINTED, f"{block}: a block without a language"
            case _:
                raise AssertionError(f"{block}: what is a block of {block.language!r} for, and how is it tested?")


def do(words: list[str], block: Block, data: dict[str, Path], hqgan) -> None:
    """Run a command, or see that it could be run."""
    match words:
        case ["hqgan", *arguments]:
            if why_parsed(arguments, block):
                parse(arguments)
                return
            code, out, err = hqgan(*small(arguments, data))
            assert code == 0, f"{block}: hqgan {' '.join(arguments)}\n{out}\n{err}"
        case ["torchrun", *_] if "hqgan" in words:
            parse(words[words.index("hqgan") + 1 :])
        case ["pip", "install", wanted]:
            assert wanted in INSTALLED or wanted == "hqgan-*.whl", f"{block}: pyproject.toml has no extra {wanted}"
        case ["make", target]:
            assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.M), f"{block}: no make {target}"
        case ["python", script, *options]:
            text = (ROOT / script).read_text()
            missing = [o for o in options if o.startswith("--") and f'"{o}"' not in text]
            assert not missing, f"{block}: {script} has no {missing}"
        case [".", ".venv/bin/activate"]:
            pass
        case _:
            raise AssertionError(f"{block}: {words} is no command that is known to work")


def why_parsed(arguments: list[str], block: Block) -> str | None:
    if block.page in RECORDS:
        return "a record"
    options = [a for a in arguments if a.startswith("--")]
    places = [a.partition(":")[0] + ":" for a in arguments if a.startswith(("hf:", "ibm:"))]
    names = (arguments[0], " ".join(arguments[:2]), *options, *places)
    return next((PARSED[name] for name in names if name in PARSED), None)


def parse(arguments: list[str]) -> None:
    """By the real command line, up to the point where it would be carried out; then what it takes as plain text."""
    command = typer.main.get_command(cli.app)
    rest = list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        command = command.commands[rest.pop(0)]
    if rest == ["--install-completion"]:
        assert any(rest[0] in p.opts for p in command.params)
        return
    with command.make_context("hqgan", rest) as context:
        given = context.params
    for text in given.get("presets") or []:
        from hqgan.experiments.compare.contestants import parse as contestant

        config.preset(contestant(text).preset, contestant(text).changes)
    for text in given.get("generators") or []:
        assert text == "pca-gaussian" or config.preset(text)
    for field in config.parse_assignments(given.get("set_") or []):
        assert field in config.fields(), f"no field {field}"
    if isinstance(given.get("preset"), str):
        config.preset(given["preset"])


def small(arguments: list[str], data: dict[str, Path]) -> list[str]:
    """The same command at a size that takes seconds."""
    found = []
    for argument in arguments:
        if place := re.fullmatch(r"path/to/(.+)", argument):
            assert place[1] in data, f"{argument} has no stand-in in stand_ins.py"
            argument = str(data[place[1]])
        found.append(re.sub(r"^(\w+)=\d+$", r"\1=2", argument))
    for i, word in enumerate(found):
        # A preset is called demo, too.
        if re.fullmatch(r"demo(:\d+)?", word) and (found[0] == "data" or found[i - 1] == "--data"):
            found[i] = DEMO
    if found[0] == "report":
        # Studies take hours and were parsed only; a run is there.
        found = [f for f in found if not f.startswith("studies/")]
    if found[0] != "train" or "--resume" in found:
        return found
    if "--kimg" in found:
        found[found.index("--kimg") + 1] = "0.02"
    else:
        found += ["--kimg", "0.02"]
    if "--data" not in found:
        found += ["--data", DEMO]
    preset = found[found.index("--preset") + 1] if "--preset" in found else "hqgan"
    sets = [f"--set={field}={json.dumps(value)}" for field, value in TINY[preset].items()]
    return ["train", *sets, *found[1:]]


DEMO = "demo:160"
"""As in the tiny run of all tests, so that the judges are trained once."""
HYBRID = {
    "data.size": 32,
    "generator.encoder_channels": 16,
    "generator.feature_channels": 16,
    "generator.decoder_channels": [16, 8],
    "generator.circuit.qubits": 3,
    "critic.channels": [8, 8, 16, 16],
    "training.batch": 8,
}
TINY = {
    "hqgan": HYBRID,
    "demo": HYBRID,
    "dcgan": {"data.size": 32, "generator.channels": [16, 16, 8, 8], "critic.channels": [8, 8, 16, 16]},
    "dense": {"data.size": 32, "critic.channels": [8, 8, 16, 16]},
    "paper": {**HYBRID, "generator.decoder": "transposed"},
}
"""Fields of each preset that the documentation trains, set before what is shown, which wins."""


def check_tree(block: Block, data: dict[str, Path]) -> None:
    """A drawn tree names files that the stand-in has, and so are read by its commands."""
    parents: list[str] = []
    for line in block.text.splitlines():
        name = re.split(r"\s{2,}", line.strip())[0]
        depth = (len(line) - len(line.lstrip())) // 2
        if name == "...":
            continue
        parents = [*parents[:depth], name.rstrip("/")]
        path = "/".join(parents).removeprefix("path/to/")
        first, _, rest = path.partition("/")
        assert (data[first] / rest).exists(), f"{block}: {path} is not in the stand-in"


@pytest.mark.parametrize(
    "words",
    [
        "train --out x --kimgs 3",
        "train --out x --set data.sizes=3",
        "train --out x --preset hqgam",
        "compare --presets hqgam",
        "compare --presets hqgan:generator.circuits=3",
        "evaluates x",
    ],
)
def test_what_is_not_there_is_found(words):
    with pytest.raises(Exception, match=r"No such option|no field|no preset|evaluates"):
        parse(words.split())


@pytest.mark.parametrize("page", [p for p in PAGES if p not in RECORDS], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_within_sentences_are_there(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)
    for span in re.findall(r"`hqgan\s([^`]+)`", prose):
        command, words = typer.main.get_command(cli.app), span.split()
        while hasattr(command, "commands") and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        if hasattr(command, "commands") and words and not words[0].startswith("-"):
            assert words[0].isupper(), f"{page.name}: `hqgan {span}` is no command"
            continue
        known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help", "--debug"}
        unknown = {word for word in words if word.startswith("--")} - known
        assert not unknown, f"{page.name}: `hqgan {span}` has no {unknown}"


def test_every_link_from_the_roots_texts_leads_somewhere():
    for page in ROOT.glob("*.md"):
        for path in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text()):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
