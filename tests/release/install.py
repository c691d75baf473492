"""Install the wheel of DIST into an empty environment, and with each extra; see that what is there works and what is not says so.

    python tests/release/install.py dist [EXTRA ...]

Run by `make wheel`. Versions are the locked ones. One environment is made with the wheel alone; each extra goes into a copy of
it, which is what pip would install into an empty one, and does not take torch's time again. Takes some minutes for each extra.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = [
    "--data", "demo:160", "--preset", "demo", "--kimg", "0.03", "--set", "data.size=32", "--set", "generator.circuit.qubits=3",
    "--set", "generator.encoder_channels=16", "--set", "critic.channels=[8,8,16,16]",
]  # fmt: skip

Words = list[str]
HQGAN = ["-m", "hqgan"]
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2", *HQGAN]
EXACT = [*HQGAN, "generate", "run", "--per-class", "1", "--out", "pennylane", "--backend", "pennylane:default.qubit"]
SHOTS = [*HQGAN, "generate", "run", "--per-class", "1", "--out", "aer", "--backend", "aer", "--shots", "64"]
PRIVATE = [
    "--data", "demo:160", "--kimg", "0.03", "--dp-epsilon", "8", "--set", "training.batch=8", "--set", "data.size=32",
]  # fmt: skip
NEEDS: dict[str, tuple[Words, list[Words]]] = {
    "quantum": (EXACT, [EXACT, SHOTS]),
    "medmnist": ([*HQGAN, "data", "fetch", "dermamnist"], [["-c", "import medmnist; assert medmnist.INFO"]]),
    "app": ([*HQGAN, "serve", "run"], [["-c", "import gradio"]]),
    "privacy": ([*HQGAN, "train", "--out", "private", *PRIVATE], [[*HQGAN, "train", "--out", "private", *PRIVATE]]),
    "distributed": ([*TORCHRUN, "train", "--out", "two", *TINY], [[*TORCHRUN, "train", "--out", "two", *TINY]]),
}
"""By extra, what names it in a sentence where it is missing, and what works with it: no page that never ends, no download."""
IMPORTS = {"dev": "pytest", "docs": "mkdocs, nbclient, ipykernel"}
"""Of extras that no command asks for."""


def main() -> None:
    """Go through them all; stop at the first thing that is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dist", type=Path, help="folder with one wheel")
    parser.add_argument("extras", nargs="*", help="only these; all of pyproject.toml's by default")
    given = parser.parse_args()
    (wheel,) = given.dist.resolve().glob("*.whl")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = given.extras or list(project["optional-dependencies"])
    with tempfile.TemporaryDirectory(prefix="hqgan-release-") as folder:
        work = Path(folder)
        constraints = work / "constraints.txt"
        constraints.write_text(locked())
        plain = work / "plain"
        subprocess.run([sys.executable, "-m", "venv", plain], check=True)
        install(plain, str(wheel), constraints)
        bare(plain, work)
        for extra in extras:
            place = work / f"with-{extra}"
            # Hard links: pip replaces files and does not write into them.
            shutil.copytree(plain, place, symlinks=True, copy_function=os.link)
            install(place, f"{wheel}[{extra}]", constraints)
            with_extra(place, extra, work)
            shutil.rmtree(place)


def locked() -> str:
    """The locked versions without their hashes."""
    texts = [(ROOT / "requirements" / name).read_text() for name in ("base.lock", "torch.lock")]
    return "\n".join(re.findall(r"^([A-Za-z0-9_.-]+==[^\s\\;]+(?:\s*;[^\\\n]+)?)", "\n".join(texts), re.M))


def install(place: Path, what: str, constraints: Path) -> None:
    """By pip, into an environment."""
    start = time.monotonic()
    pip = [place / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "-c", constraints, what], check=True)
    print(f"pip install {Path(what).name}: {time.monotonic() - start:.0f} s", flush=True)


def bare(place: Path, work: Path) -> None:
    """What works without an extra, and what names the one that it needs."""
    version = re.search(r'__version__ = "(.*)"', (ROOT / "src" / "hqgan" / "__init__.py").read_text())
    assert version
    assert python(place, work, "-m", "hqgan", "--version") == f"hqgan {version[1]}\n"
    command = subprocess.run([place / "bin" / "hqgan", "--help"], capture_output=True, text=True, check=True)
    assert "generate" in command.stdout
    python(place, work, "-m", "hqgan", "train", "--out", "run", *TINY)
    python(place, work, "-m", "hqgan", "generate", "run", "--per-class", "1", "--out", "images")
    python(place, work, "-m", "hqgan", "evaluate", "run")
    python(place, work, "-m", "hqgan", "report", "run", "--out", "page.html")
    print("without extras: --version, --help, train, generate, evaluate and report work")
    for extra, (without, _) in NEEDS.items():
        said = python(place, work, *without, fails=True)
        assert f"hqgan[{extra}]" in said, said
        # torch's launcher has a traceback of its own for a process that fails.
        assert "Traceback" not in said or "torch.distributed.run" in without, said
        sentence = re.search(rf"hqgan: [^\n]*hqgan\[{extra}\]['\"][^\n]*", said)
        assert sentence, said
        print(f"without {extra}: {sentence[0]}", flush=True)


def with_extra(place: Path, extra: str, work: Path) -> None:
    """What an extra makes work."""
    if extra in IMPORTS:
        python(place, work, "-c", f"import {IMPORTS[extra]}")
        print(f"with {extra}: import {IMPORTS[extra]}")
        return
    _, works = NEEDS[extra]
    for words in works:
        python(place, work, *words)
        print(f"with {extra}: python {' '.join(words[:6])} ... works", flush=True)


def python(place: Path, work: Path, *words: str, fails: bool = False) -> str:
    """Run an environment's Python in `work`; what it printed."""
    hidden = {"PYTHONPATH", "VIRTUAL_ENV"}
    env = {k: v for k, v in os.environ.items() if k not in hidden} | {
        "HQGAN_CACHE": str(work / "cache"),
        "COLUMNS": "300",
    }
    done = subprocess.run(
        [place / "bin" / "python", *words], cwd=work, env=env, capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) == fails, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
