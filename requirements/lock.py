"""Rewrite the lock files beside this one from pyproject.toml (`make lock`; needs uv).

base.lock holds everything but torch. torch.lock holds PyPI's torch and torchvision, a pair made for each other, with the CUDA
packages that torch's Linux build needs. bench.lock holds what `make bench` compares with, beside these. Each is resolved for
every platform and for Python 3.11 and newer.

What a lock pins already stays as it is where it still fits; remove the file to take the newest of everything.
"""

import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PAIR = "torch==2.14.1\ntorchvision==0.29.1\n"
"""Chosen by benchmarks/bf16.py; see docs/results/bf16.md."""
TORCH_FAMILY = re.compile(r"^(torch(vision)?==|(nvidia|cuda|triton)\b)")
BUILD = "hatchling\neditables\n"
PEERS = "jax\nqulacs\ntensorcircuit-ng\n"
EXTRAS = ("app", "dev", "docs", "privacy", "quantum")
HEADER = "# Made by `make lock`; do not edit. Installed with --require-hashes --no-deps.\n"
UV = [
    "uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet",
]  # fmt: skip


def resolved(wanted: str, constraints: str, pinned: str, *options: str) -> list[str]:
    """One block a package, in alphabetical order, for every platform, with hashes."""
    with tempfile.TemporaryDirectory() as folder:
        lock, limits, more = (Path(folder) / name for name in ("out.lock", "constraints.txt", "wanted.in"))
        lock.write_text(pinned)
        limits.write_text(constraints)
        more.write_text(wanted)
        command = [*UV, *options, str(more), "--constraints", str(limits), "--output-file", str(lock)]
        subprocess.run(command, cwd=HERE.parent, check=True)
        return sorted(blocks(lock.read_text()))


def blocks(text: str) -> list[str]:
    """Split a compiled file into one block a package."""
    return [b for b in re.split(r"(?m)^(?=[A-Za-z0-9])", text) if "==" in b]


def before(*names: str) -> str:
    """What lock files hold so far."""
    return "".join((HERE / name).read_text() for name in names if (HERE / name).exists())


def write(name: str, packages: list[str]) -> None:
    """Write a lock file."""
    (HERE / name).write_text(HEADER + "".join(packages))


def main() -> None:
    """Write the lock files."""
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    found = resolved(BUILD, PAIR, before("base.lock", "torch.lock"), "pyproject.toml", *extras)
    torch = [b for b in found if TORCH_FAMILY.match(b)]
    write("base.lock", [b for b in found if b not in torch])
    write("torch.lock", torch)
    held = {b.split("==")[0] for b in found}
    peers = resolved(PEERS, before("base.lock"), before("base.lock", "bench.lock"))
    write("bench.lock", [b for b in peers if b.split("==")[0] not in held])


if __name__ == "__main__":
    main()
