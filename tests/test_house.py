"""The size of things: files, functions, and what lies loose at the top of the package."""

import ast
from pathlib import Path

import hqgan

ROOT = Path(hqgan.__file__).parent
TESTS = Path(__file__).parent
MOST_LOOSE = 12
MOST_LINES, LONG_LINES, MOST_LONG = 400, 300, 5
MOST_PARAMETERS = {"cli": 10**6, "circuits/engines/numba": 12, "": 9}
"""By folder. A command has a parameter for each option; a kernel takes what it needs apart."""


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def too_many_parameters(root: Path) -> list[str]:
    """Functions with more parameters than their folder allows, without self and cls."""
    wrong = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        most = next(n for folder, n in MOST_PARAMETERS.items() if name.startswith(folder))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                a = node.args
                names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs) if x.arg not in ("self", "cls")]
                if len(names) > most:
                    wrong.append(f"{name}: {node.name} has {len(names)} parameters, more than {most}")
    return wrong


def test_few_modules_lie_loose():
    assert len(list(ROOT.glob("*.py"))) <= MOST_LOOSE


def test_files_are_short():
    sizes = {path: lines_of(path) for root in (ROOT, TESTS) for path in root.rglob("*.py")}
    assert {str(path): n for path, n in sizes.items() if n > MOST_LINES} == {}
    long = {str(path): n for path, n in sizes.items() if n > LONG_LINES and path.is_relative_to(ROOT)}
    assert len(long) <= MOST_LONG, long


def test_functions_take_few_parameters():
    assert too_many_parameters(ROOT) == []


def test_a_function_of_many_parameters_is_found(tmp_path):
    (tmp_path / "cli").mkdir()
    many = f"def f({', '.join('abcdefghij')}):\n    pass\n"
    (tmp_path / "cli" / "train.py").write_text(many)
    (tmp_path / "data.py").write_text(many)
    assert len(too_many_parameters(tmp_path)) == 1
