"""Kill two processes that make images together, go on, and count: `shards.py --images 200000 --kills 5`.

Two processes under torchrun share the shards of one `hqgan generate`. All are killed by SIGKILL at random moments, the command is
run again, and in the end every image is there once, as the manifest says, and no two have the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from kill import TINY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--run", type=Path, help="a trained run; otherwise a tiny one is trained")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=20, help="seconds from a start to its kill, at most")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as home:
        run, out = options.run or trained(Path(home)), Path(home) / "images"
        command = generating(run, out, options.images)
        for number in range(options.kills):
            process = subprocess.Popen(
                command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            seconds = rng.uniform(options.pause / 4, options.pause)
            time.sleep(seconds)
            early = process.poll() is not None
            if not early:
                for one in [process.pid, *descendants(process.pid)]:  # torchrun's have sessions of their own
                    os.kill(one, signal.SIGKILL)
            process.wait()
            there = sum(1 for _ in out.glob("*/*.png"))
            print(
                f"kill {number + 1}: after {seconds:.0f} s, {there:,} images there{', finished before' * early}",
                flush=True,
            )
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sys.exit(count(out, options.images))


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and theirs (Linux)."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            name, rest = stat.read_text().rsplit(") ", 1)
            parents[int(name.split(" ", 1)[0])] = int(rest.split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def trained(home: Path) -> Path:
    """The preset demo, made tiny, by two processes too."""
    changes = [text for key, value in TINY.items() for text in ("--set", f"{key}={str(value).replace(' ', '')}")]
    subprocess.run(
        [sys.executable, "-m", "hqgan", "train", "--preset", "demo", "--out", str(home / "run"), *changes], check=True
    )
    return home / "run"


def generating(run: Path, out: Path, images: int) -> list[str]:
    import torch

    from hqgan.sampling.load import load

    torch.set_num_threads(1)
    classes = load(run).classes
    each = [images // len(classes) + (i < images % len(classes)) for i in range(len(classes))]
    counts = [text for name, n in zip(classes, each, strict=True) for text in ("--class", f"{name}={n}")]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return [*torchrun, "-m", "hqgan", "generate", str(run), "--out", str(out), *counts]


def count(out: Path, images: int) -> int:
    """Print what is there; 0 where all is well."""
    with (out / "manifest.csv").open() as stream:
        listed = [row["file"] for row in csv.DictReader(stream)]
    there = {str(path.relative_to(out)) for path in out.rglob("*.png")} - {"contact-sheet.png"}
    bytes_of = Counter(hashlib.sha256((out / file).read_bytes()).hexdigest() for file in listed)
    left = sorted(str(path.relative_to(out)) for path in out.rglob(".*"))
    print(
        f"{len(listed):,} images in the manifest, {len(set(listed)):,} of them different names, {len(there):,} on disk, "
        f"{len(bytes_of):,} different bytes; left over: {', '.join(left) or 'nothing'}"
    )
    well = len(listed) == images and set(listed) == there and len(bytes_of) == images and not left
    print("every image once" if well else "NOT every image once")
    return 0 if well else 1


if __name__ == "__main__":
    main()
