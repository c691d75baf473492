"""Imports run down only, by folders (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

import hqgan

ORDER = ["_version", "errors", "wording", "reporter", "types", "io", "config", "runtime"]
ORDER += ["circuits", "data", "metrics", "models", "training", "sampling", "evaluation"]
ORDER += ["run", "experiments", "report", "serve", "api", "cli", "__main__", "__init__"]
"""From the bottom up: a folder, or a module beside them, may import what stands before it."""
STRANGERS = [{"data", "metrics", "training"}, {"serve", "experiments"}]
"""Folders that do not import each other, whatever their order."""


def upward_imports(root: Path) -> list[str]:
    """Every import, at the top or inside a function, of what stands higher, or of a stranger."""
    wrong = []
    for path in sorted(root.rglob("*.py")):
        own = path.relative_to(root).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for other in {n.split(".")[1] for n in names if n.startswith("hqgan.")} - {own, "__version__"}:
                if ORDER.index(other) > ORDER.index(own) or any({own, other} <= some for some in STRANGERS):
                    wrong.append(f"{path.relative_to(root)} imports {other}")
    return wrong


def test_imports_run_down_only():
    assert upward_imports(Path(hqgan.__file__).parent) == []


@pytest.mark.parametrize("line", ["def f():\n    from hqgan.run.train import train\n", "import hqgan.training.loop\n"])
def test_an_upward_import_is_found(tmp_path, line):
    (tmp_path / "data.py").write_text(line)
    assert len(upward_imports(tmp_path)) == 1
