"""Rewrite the lock files beside this one from pyproject.toml (`make lock`; needs uv).

base.lock holds everything but torch. torch.lock holds PyPI's torch with the CUDA packages that its Linux build needs.
torch-cpu.lock holds the CPU-only build, which PyPI does not carry: `make env` takes it where pip's own configuration
knows a place that has it, and torch.lock everywhere else. bench.lock holds what `make bench` compares with, beside these.

What base.lock pins already stays as it is where it still fits; remove the file to take the newest of everything.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TORCH = "torch==2.13.0"
# Not on PyPI, so no resolver finds its hash: CPython 3.11, Linux x86-64.
TORCH_CPU_HASH = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
TORCH_FAMILY = re.compile(r"^(torch==|(nvidia|cuda|triton)\b)")
PEERS = "jax\nqulacs\ntensorcircuit-ng\n"
HEADER = "# Made by `make lock`; do not edit. Installed with --require-hashes --no-deps.\n"


def compile_universal() -> str:
    """Resolve every extra for every platform, with hashes."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--python-version", "3.11", "--constraints", "-", "--quiet"]
    for extra in ("app", "dev", "docs", "privacy", "quantum"):
        command += ["--extra", extra]
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "base.lock"
        if (HERE / "base.lock").exists():
            shutil.copy(HERE / "base.lock", pinned)
        command += ["--no-emit-index-url", "--output-file", str(pinned)]
        subprocess.run(command, cwd=HERE.parent, input=TORCH, capture_output=True, text=True, check=True)
        resolved = pinned.read_text()
    build = subprocess.run(
        ["uv", "pip", "compile", "-", "--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"],
        input="hatchling\neditables\n", capture_output=True, text=True, check=True, cwd=HERE.parent,
    )  # fmt: skip
    seen = set(re.findall(r"^([A-Za-z0-9_.-]+)==", resolved, re.M))
    extra = [b for b in blocks(build.stdout) if b.split("==")[0] not in seen]
    return resolved + "".join(extra)


def compile_bench() -> str:
    """Resolve the benchmark's peers so that they fit base.lock, and leave out what stands there."""
    command = [
        "uv",
        "pip",
        "compile",
        "-",
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--quiet",
    ]
    command += ["--python-version", "3.11", "--constraints", str(HERE / "base.lock"), "--no-emit-index-url"]
    done = subprocess.run(command, input=PEERS, capture_output=True, text=True, check=True, cwd=HERE.parent)
    held = {b.split("==")[0] for b in blocks((HERE / "base.lock").read_text())}
    return "".join(b for b in blocks(done.stdout) if b.split("==")[0] not in held)


def blocks(text: str) -> list[str]:
    """Split a compiled file into one block a package."""
    return [b for b in re.split(r"(?m)^(?=[A-Za-z0-9])", text) if "==" in b]


def main() -> None:
    """Write the lock files."""
    found = sorted(blocks(compile_universal()))
    torch = [b for b in found if TORCH_FAMILY.match(b)]
    (HERE / "base.lock").write_text(HEADER + "".join(b for b in found if b not in torch))
    (HERE / "torch.lock").write_text(HEADER + "".join(torch))
    (HERE / "bench.lock").write_text(HEADER + compile_bench())
    (HERE / "torch-cpu.lock").write_text(f"{HEADER}{TORCH}+cpu \\\n    --hash=sha256:{TORCH_CPU_HASH}\n")


if __name__ == "__main__":
    main()
