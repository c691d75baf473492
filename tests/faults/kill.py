"""Kill training, caching and a study at random moments, go on, and see that nothing is lost: `kill.py --times 200`.

Each time a process does the work in a new folder and is killed by SIGKILL at a random moment of it. Whatever has its final name
then has to be whole. A second process goes on; what it ends with has to be equal, byte for byte, to the work of one that was
never killed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

WEIGHTS = {"training": 6, "caching": 3, "study": 1}
TINY = {
    "data.path": "demo:160",
    "data.size": 32,
    "generator.encoder_channels": 16,
    "generator.feature_channels": 16,
    "generator.decoder_channels": [16, 8],
    "generator.circuit.qubits": 3,
    "generator.circuit.layers": 2,
    "critic.channels": [8, 8, 16, 16],
    "training.batch": 8,
    "training.kimg": 0.16,
    "training.log_kimg": 0.016,
    "training.sample_kimg": 0.032,
    "training.evaluate_kimg": 0.08,
    "training.checkpoint_kimg": 0.016,
}


def train(home: Path) -> None:
    from hqgan import config
    from hqgan.run import train as run

    run.train(config.preset("demo", TINY), home / "run", resume=(home / "run" / "config.json").exists())


def cache(home: Path) -> None:
    from hqgan.data import open_data

    open_data(home.parent / "pictures", 32, cache=home / "cache")


def study(home: Path) -> None:
    from hqgan.experiments import study as studies

    settings = studies.Settings("demo:160", size=32, seeds=(0, 1), generators=("pca-gaussian",), uses=("mixed", "balanced-mix"),
                                ratios=(1.0,), fill=("fibroma", "vascular"), steps=10)  # fmt: skip
    studies.study(replace(settings, jobs=1), home / "study")


WORK: dict[str, Callable[[Path], None]] = {"training": train, "caching": cache, "study": study}
MADE_ANEW = {"run.json", "timing.jsonl", "settings.json", "study.json"}
"""Files that tell of starts and clocks, or whose numbers are compared apart."""


def work(name: str, home: Path, shared: Path) -> None:
    """In a process of its own."""
    import torch

    torch.set_num_threads(1)
    os.environ["HQGAN_CACHE"] = str(shared)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    WORK[name](home)


def ends(home: Path) -> dict[str, bytes]:
    """What the work has to end with: every file but clocks and TensorBoard's, and what run.json and study.json conclude."""
    found = {}
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        # Locks are empty files, and stay where their process is killed.
        if "tensorboard" in path.parts or path.name in MADE_ANEW or path.name.endswith(".lock"):
            continue
        # Hashes of files by their times; and what a killed process left hidden in a cache, which a later one removes.
        if path.parts[-2] == "index" or path.parts[-2].startswith("."):
            continue
        found[str(path.relative_to(home))] = path.read_bytes()
    for path, key in (("run/run.json", "ema_sha256"), ("study/study.json", "arms")):
        if (home / path).exists():
            found[path] = json.dumps(json.loads((home / path).read_text())[key]).encode()
    return found


def broken(home: Path) -> list[str]:
    """Files under their final names that are not whole."""
    import numpy as np
    from PIL import Image

    from hqgan.errors import UserError
    from hqgan.training import checkpoint

    found = []
    for path in (p for p in home.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.parts[-3:])):
        try:
            if path.parent.name == "checkpoints" and path.suffix == ".json":
                checkpoint.read(path)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".png":
                with Image.open(path) as image:
                    image.load()
            elif path.suffix in (".npy", ".npz"):
                np.load(path, allow_pickle=False)
        except (ValueError, OSError, UserError) as error:
            found.append(f"{path}: {error}")
    return found


def attempt(
    context: multiprocessing.context.BaseContext, name: str, home: Path, shared: Path, kill_after: float
) -> str:
    """Work, be killed, go on; an empty text, or what was wrong."""
    first = context.Process(target=work, args=(name, home, shared))
    first.start()
    first.join(kill_after)
    os.kill(first.pid or 0, signal.SIGKILL) if first.is_alive() else None
    first.join()
    if first.exitcode not in (0, -signal.SIGKILL):
        return f"ended with {first.exitcode} before it was killed"
    if wrong := broken(home):
        return f"half a file: {wrong[0]}"
    had = max((int(p.stem.split("-")[1]) for p in home.glob("run/checkpoints/*.json")), default=0)
    second = context.Process(target=work, args=(name, home, shared))
    second.start()
    second.join()
    if second.exitcode:
        return f"did not go on, ended with {second.exitcode}"
    if name == "training" and had:
        went_on = json.loads((home / "run" / "run.json").read_text())["starts"][-1]["resumed_at_images"]
        if went_on != had:
            return f"went on from {went_on} images, and had {had}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import numpy as np
    from PIL import Image

    rng = random.Random(options.seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hqgan.run.train", "hqgan.experiments.study", "hqgan.data"])
    root = Path(tempfile.mkdtemp(prefix="hqgan-kill-"))
    noise = np.random.default_rng(0)
    for i in range(400):
        (root / "pictures" / f"class-{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (96, 96, 3), np.uint8)).save(
            root / "pictures" / f"class-{i % 2}" / f"{i}.png"
        )
    wanted: dict[str, dict[str, bytes]] = {}
    lasts: dict[str, float] = {}
    resumed = identical = 0
    killed: Counter[str] = Counter()
    findings = []
    try:
        for name in WORK:
            for turn in ("warm", "whole"):  # the first fits the judges and fills the shared cache
                process = context.Process(target=work, args=(name, root / f"{name}-{turn}", root / "shared"))
                start = time.monotonic()
                process.start()
                process.join()
                lasts[name] = time.monotonic() - start
                if process.exitcode:
                    print(f"{name} does not work at all: ended with {process.exitcode}")
                    return 1
            wanted[name] = ends(root / f"{name}-whole")
        print(", ".join(f"{name} takes {seconds:.1f} s" for name, seconds in lasts.items()), flush=True)
        for i in range(options.times):
            name = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            home = root / f"{i}"
            home.mkdir()
            wrong = attempt(context, name, home, root / "shared", rng.uniform(0, lasts[name]))
            killed[name] += 1
            resumed += not wrong
            if not wrong:
                got = ends(home)
                odd = sorted(k for k in got.keys() | wanted[name].keys() if got.get(k) != wanted[name].get(k))
                identical += not odd
                wrong = f"differs in {odd[:5]}" if odd else ""
            if wrong:
                findings.append(f"{i} ({name}): {wrong}")
                print(findings[-1], flush=True)
            shutil.rmtree(home)
            if (i + 1) % 20 == 0:
                print(f"{i + 1} of {options.times}: {resumed} resumed, {identical} identical", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"killed: {', '.join(f'{name} {n}' for name, n in sorted(killed.items()))}")
    print(f"{resumed} resumed, {identical} identical")
    return 0 if identical == options.times else 1


if __name__ == "__main__":
    sys.exit(main())
