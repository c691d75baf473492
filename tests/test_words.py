"""The field's words stand in the code and its texts; home-made ones that they replaced do not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hqgan

ROOT = Path(hqgan.__file__).parent
REPOSITORY = Path(__file__).parents[1]

GONE_MODULES = [
    "circuits/compiled",
    "circuits/engines/numba/rooms",
    "circuits/engines/numba/walk",
    "circuits/engines/numba/halves",
    "circuits/engines/numba/places",
    "circuits/engines/numba/passes",
    "circuits/engines/numba/rows",
    "circuits/engines/numba/frames",
    "circuits/engines/numba/program",
    "circuits/once",
    "circuits/engines/once",
    "metrics/suite",
    "metrics/measures",
    "metrics/manifold",
    "metrics/spoil",
    "metrics/degradations",
    "metrics/features",
    "page",
    "serve/gate",
    "draws",
    "data/choice",
    "data/listing",
    "data/near",
    "trained",
]
"""Files and folders that have other names now."""

GONE_NAMES = {
    "": "View Eye Judge judge_of judged Draws Share WHOLE Ranks ALONE own_share only_one in_turn goes_on started_again Listing "
    "ChoiceConfig thin Wish interpolation_penalty zero_centred_penalty spoil say on_data on_step on_arm",
    "training": "mixed settle ranks",
    "models": "parts observe represent draft",
    "metrics": "look finish trunk floor bar degradations judge",
    "experiments": "capped agreed dense",
    "circuits/engines": "rooms walk halves places passes once",
    "serve": "gate",
}
"""Folder to names that nothing in it defines, imports or takes as a parameter."""

READERS = {"metrics/record.py", "experiments/study/uses/__init__.py"}
"""Where names in files of version 0.1 are read."""

PHRASES = {
    "real reference, or: real vs. real": r"\breal floors?\b|\bthe floors?\b|\bfloor and bar\b|\bits floor\b",
    "simple baseline, or: PCA-Gaussian": r"\bGaussian bars?\b|\bfloor and bar\b|\b(clears?|below|above|to) the bar\b|\bits bar\b",
    "evaluator, or: feature extractor": r"\bjudges?\b|\bjudged\b",
    "feature extractor": r"\b(each|every|all|several|other|no|four|five|six) views?\b|\bviews? (of features|is one extractor)\b",
    "no significant difference from": r"\btold (apart|from)\b|\bbe told from\b",
    "zero": r"\bnoughts?\b",
}
"""What is said instead, and what is not said any more."""


def names_in(tree: ast.AST) -> Iterator[str]:
    """Names that a file defines, imports, or takes as parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[-1]
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.isupper():
            yield node.id


def home_made(root: Path) -> list[str]:
    found = [f"{module} is there again" for module in GONE_MODULES if (root / module).exists()]
    found += [f"{module}.py is there again" for module in GONE_MODULES if (root / f"{module}.py").exists()]
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        gone = {word for folder, words in GONE_NAMES.items() if name.startswith(folder) for word in words.split()}
        if name not in READERS:
            found += [f"{name}: {word}" for word in names_in(ast.parse(path.read_text())) if word in gone]
    return found


def phrases_in(text: str) -> list[str]:
    """Phrases not said any more, each with what is said instead."""
    lines = " ".join(text.split())
    return [
        f"{match.group()!r} (say: {instead})"
        for instead, pattern in PHRASES.items()
        for match in re.finditer(pattern, lines)
    ]


def test_home_made_names_are_gone():
    assert home_made(ROOT) == []


def test_a_home_made_name_is_found(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "hybrid.py").write_text("class G:\n    def observe(self, say): ...\n")
    assert home_made(tmp_path) == ["models/hybrid.py: observe", "models/hybrid.py: say"]


TEXTS = sorted(path for path in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_texts_speak_the_fields_words(path):
    assert phrases_in(path.read_text()) == []


def test_messages_and_docstrings_speak_the_fields_words():
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [f"{path.relative_to(ROOT)}:{node.lineno}: {phrase}" for phrase in phrases_in(node.value)]
    assert found == []
