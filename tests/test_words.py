"""Code and texts use the field's words; the home-made words that they replaced do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import hqgan
from hqgan.cli import main as cli

ROOT = Path(hqgan.__file__).parent
REPOSITORY = Path(__file__).parents[1]

GONE_MODULES = {
    "": "page draws processes trained private_start run_start",
    "circuits": "compiled once statevector matrices",
    "circuits/engines": "compiled once",
    "circuits/engines/numba": "rooms walk halves places passes rows frames program once",
    "metrics": "suite measures manifold twins spoil degradations features",
    "data": "choice listing near",
    "serve": "gate page",
}
"""Folder to files and folders in it that have other names now."""

GONE_NAMES = {
    "": "View Eye Judge judge_of judged Draws Share WHOLE Ranks ALONE own_share only_one in_turn goes_on started_again Listing "
    "ChoiceConfig thin Wish interpolation_penalty zero_centred_penalty spoil say on_data on_step on_arm",
    "training": "mixed settle ranks observe represent draft",
    "models": "parts observe represent draft mixed settle",
    "metrics": "look finish trunk floor bar judge views degradations twins manifold measures",
    "evaluation": "floor bar judge judges views degradations",
    "experiments": "capped agreed dense floor bar",
    "circuits/engines": "rooms walk passes once",
    "circuits": "once",
    "serve": "gate Gate wish",
}
"""Folder to names that nothing in it defines, imports, or takes as a parameter."""

READERS = {"metrics/record.py", "experiments/study/uses/__init__.py"}
"""Files that read names stored by older versions."""

PHRASES = {
    "real reference, or: real vs. real": r"\breal floors?\b|\bthe floors?\b|\bfloors? and bars?\b|\bits floor\b",
    "simple baseline, or: PCA-Gaussian": r"\bGaussian bars?\b|\b(?:the|its) bars?\b(?! chart)",
    "evaluator, or: feature extractor": r"\bjudges?\b|\bjudged\b",
    "feature extractor": r"\b(?:each|every|all|several|other|no|four|five|six) views?\b|\bviews? of features\b",
    "no significant difference from": r"\btold (?:apart|from)\b|\btell (?:\w+ ){0,4}apart\b",
    "zero": r"\bnoughts?\b",
}
"""What is said instead, and what is not said any more."""

PROGRESS = {"reporter.py"}
"""Where a bar is one of progress."""


def names_in(tree: ast.AST) -> Iterator[str]:
    """Names that a file defines, imports, takes as parameters, or assigns at the top or in a class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[-1]
        elif isinstance(node, ast.arg):
            yield node.arg
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
                )
                yield from (name.id for name in targets if isinstance(name, ast.Name))


def home_made(root: Path) -> list[str]:
    """Modules and names below `root` that have other names now."""
    gone_modules = [Path(folder) / word for folder, words in GONE_MODULES.items() for word in words.split()]
    found = [f"{m} is there again" for m in gone_modules if (root / m).is_dir() or (root / f"{m}.py").exists()]
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        gone = {word for folder, words in GONE_NAMES.items() if name.startswith(folder) for word in words.split()}
        if name not in READERS:
            found += [f"{name}: {word}" for word in names_in(ast.parse(path.read_text())) if word in gone]
    return found


def phrases_in(text: str) -> list[str]:
    """Phrases not said any more, each with what is said instead."""
    lines = " ".join(text.split())
    return [f"{m.group()!r} (say: {instead})" for instead, p in PHRASES.items() for m in re.finditer(p, lines, re.I)]


def test_home_made_names_are_gone():
    assert home_made(ROOT) == []


def test_a_home_made_name_is_found(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "hybrid.py").write_text("class G:\n    Wish: int = 0\n    def observe(self, say): ...\n")
    (tmp_path / "page").mkdir()
    found = ["page is there again", "models/hybrid.py: observe", "models/hybrid.py: say", "models/hybrid.py: Wish"]
    assert sorted(home_made(tmp_path)) == sorted(found)


TEXTS = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "docs").rglob("*.ipynb")]
)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_texts_use_the_fields_words(path):
    assert phrases_in(path.read_text()) == []


def test_messages_and_docstrings_use_the_fields_words():
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                phrases = [p for p in phrases_in(node.value) if not (name in PROGRESS and "bar" in p.partition("(")[0])]
                found += [f"{name}:{node.lineno}: {phrase}" for phrase in phrases]
    assert found == []


def helps(command, words: str, parent=None) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it."""
    context = command.make_context(words, [], parent=parent, resilient_parsing=True)
    texts = [command.help or "", command.short_help or "", *(getattr(p, "help", None) or "" for p in command.params)]
    yield words, "\n\n".join(texts)
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{words} {name}", context)


def test_help_uses_the_fields_words():
    found = dict(helps(typer.main.get_command(cli.app), "hqgan"))
    assert len(found) > 15
    assert {name: phrases for name, text in found.items() if (phrases := phrases_in(text))} == {}


@pytest.mark.parametrize(
    "text", ["nearer than the bar", "beside its\nfloor", "The judges", "cannot be told apart", "a nought"]
)
def test_a_phrase_is_found(text):
    assert phrases_in(text)


@pytest.mark.parametrize(
    "text", ["a progress bar", "a bar chart", "math.floor", "the point of view", "a view of an array"]
)
def test_other_uses_of_the_words_are_left_alone(text):
    assert phrases_in(text) == []
