"""Imports run down only (docs/architecture.md)."""

import ast
from pathlib import Path

import hqgan

ROOT = Path(hqgan.__file__).parent
# Each layer sees itself where it is a package, and the layers that its row names.
FLOOR = {"types", "config", "files", "images", "vision", "lock", "processes", "draws"}
SIBLINGS = {"circuits", "data", "metrics", "training"}
RUN_AND_BELOW = (
    FLOOR
    | SIBLINGS
    | {
        "models",
        "trained",
        "model_card",
        "generate",
        "geometry",
        "evaluate",
        "run_log",
        "run_hooks",
        "run_start",
        "private_start",
        "run",
        "presets",
    }
)
MAY_SEE = {
    "types": set(),
    "images": {"types"},
    "config": {"types", "files"},
    "files": set(),
    "vision": {"types"},
    "lock": {"types"},
    "processes": set(),
    "draws": {"processes"},
    **dict.fromkeys(SIBLINGS, FLOOR),
    "models": FLOOR | {"circuits"},
    "model_card": FLOOR,
    "hub": FLOOR | {"training"},
    "trained": FLOOR | {"circuits", "models", "training", "hub"},
    "generate": FLOOR | {"circuits", "models", "trained", "model_card", "training"},
    "presets": FLOOR | {"models", "training"},
    "geometry": FLOOR | {"metrics", "models", "trained", "generate"},
    "evaluate": FLOOR | {"data", "metrics", "models", "training", "trained", "generate", "geometry"},
    "run_log": FLOOR | {"training"},
    **dict.fromkeys(
        ("run_hooks", "run_start"), RUN_AND_BELOW - {"run_hooks", "run_start", "private_start", "run", "presets"}
    ),
    "private_start": FLOOR | {"data", "training", "run_log"},
    "run": RUN_AND_BELOW - {"run", "presets"},
    "noise": RUN_AND_BELOW,
    "augmented": FLOOR | {"trained", "generate"},
    "export": RUN_AND_BELOW | {"augmented"},
    "api": RUN_AND_BELOW | {"augmented", "export"},
    "cli_share": RUN_AND_BELOW | {"augmented", "export", "hub", "console", "cli_options"},
    "study": RUN_AND_BELOW,
    "compare": RUN_AND_BELOW | {"study"},
    "evidence": FLOOR | SIBLINGS | {"models", "trained", "generate"},
    "audit": RUN_AND_BELOW | {"evidence"},
    "report": {"types", "config", "images"},
    "page": RUN_AND_BELOW | {"hub", "evidence", "audit", "report"},
    "console": FLOOR | {"training"},
    "cli_options": FLOOR,
    "cli_evidence": RUN_AND_BELOW | {"study", "audit", "report", "console", "cli_options"},
    "cli_circuits": FLOOR | {"circuits", "models", "noise", "console", "cli_options"},
    "cli_compare": RUN_AND_BELOW | {"compare", "study", "report", "console", "cli_options"},
    "cli_serve": FLOOR | {"page", "console"},
    "cli": RUN_AND_BELOW
    | {"console", "cli_circuits", "cli_compare", "cli_evidence", "cli_options", "cli_serve", "cli_share"},
    "__main__": {"cli"},
    "__init__": {"api"},
}


def imports_of(path: Path) -> set[str]:
    """First components below the package of everything a file imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" if node.module == "hqgan" else node.module for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "hqgan" and len(parts) > 1:
                found.add(parts[1])
    return found


def violations() -> list[str]:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        layer = path.relative_to(ROOT).parts[0].removesuffix(".py")
        assert layer in MAY_SEE, f"{layer} has no place in docs/architecture.md's order of imports"
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in imports_of(path) - MAY_SEE[layer] - {layer}]
    return wrong


def test_imports_run_down_only():
    assert violations() == []


def test_an_upward_import_is_found(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def f():\n    from hqgan.run.train import train\n    from hqgan import config as c\n")
    assert imports_of(file) == {"run", "config"}
