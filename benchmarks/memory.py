"""Whether memory stays flat: one pass over procedural images, of which there are few or very many.

    python benchmarks/memory.py 50000 1000000

Each number of 64x64 images is first put into the cache (``$HQGAN_CACHE``; by `--processes` processes that share its parts), then
a process of its own opens it, splits it, readies the judges, trains on every training image once, evaluates and writes its
checkpoint. Another thread of both looks 20 times a second how much anonymous memory (RssAnon of /proc, Linux) the process holds;
mapped pages of the cache are the system's and not counted. `--preset` is the smallest by weights unless another is named.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch

from hqgan import config as configs
from hqgan.data import BatchSampler, open_configured, open_data, split_of
from hqgan.reporter import Terminal
from hqgan.run.train import train
from hqgan.training.checkpoint import latest, read_values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=int, nargs="+")
    parser.add_argument("--preset", default="mosaiq")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--processes", type=int, default=1, help="that fill the cache")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=("cache", "train"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        work = {"cache": fill, "train": one_pass}[options.child]
        print(json.dumps(work(options)))
        return
    rows = []
    for count in options.images:
        filled = [process("cache", count, options) for _ in range(options.processes)]
        caches = [finished(one) for one in filled]
        trained = finished(process("train", count, options))
        rows.append({"images": count, "caching_mib": max(one["mib"] for one in caches), **trained})
        print(json.dumps(rows[-1]), file=sys.stderr)
    show(rows, options)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def process(work: str, count: int, options: argparse.Namespace) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, str(count), "--child", work, "--preset", options.preset]
    command += ["--batch", str(options.batch), "--threads", str(options.threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finished(one: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = one.communicate()
    if one.returncode:
        sys.exit(f"a process ended with {one.returncode}")
    return json.loads(out.splitlines()[-1])


class Peak:
    """The most anonymous memory that this process held while the block ran, in MiB."""

    def __enter__(self) -> Peak:
        self.mib, self._over = 0.0, threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            status = Path("/proc/self/status").read_text()
            (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
            self.mib = max(self.mib, int(line.split()[1]) / 1024)


def fill(options: argparse.Namespace) -> dict[str, Any]:
    with Peak() as peak:
        open_data(f"demo:{options.images[0]}", 64, reporter=Terminal())
    return {"mib": peak.mib}


def one_pass(options: argparse.Namespace) -> dict[str, Any]:
    """Train until every training image has been shown once, and count them."""
    data = {"data.path": f"demo:{options.images[0]}", "training.batch": options.batch}
    whole = configs.preset(options.preset, data)
    with tempfile.TemporaryDirectory() as folder, Peak() as peak:
        start = time.perf_counter()
        opened = open_configured(whole.data)
        split = split_of(opened, whole.data.seed)
        steps = math.ceil(len(split.train) / options.batch)
        never = {f"training.{name}_kimg": 1e6 for name in ("sample", "evaluate", "checkpoint")}
        config = configs.replace(whole, {**never, "training.kimg": steps * options.batch / 1000})
        run = train(config, Path(folder) / "run", reporter=Terminal())
        newest = latest(run / "checkpoints")
        assert newest is not None
        shown = read_values(newest)["images"]
        seconds = time.perf_counter() - start
    sampler = BatchSampler(opened.labels[split.train], options.batch, config.training.seed, config.training.balanced)
    seen = {int(row) for step in range(steps) for row in sampler.batch(step)}
    return {
        "training_images": len(split.train),
        "shown": shown,
        "different": len(seen),
        "mib": peak.mib,
        "seconds": seconds,
    }


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    print(f"Preset {options.preset}, batch {options.batch}, {options.threads} threads, 64x64; peaks of RssAnon\n")
    print(
        "| images | of them training | shown | different | caching, MiB | one pass, MiB | against the first | minutes |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        against = f"{row['mib'] / rows[0]['mib'] - 1:+.1%}"
        print(
            f"| {row['images']:,} | {row['training_images']:,} | {row['shown']:,} | {row['different']:,} | "
            f"{row['caching_mib']:.0f} | {row['mib']:.0f} | {against} | {row['seconds'] / 60:.1f} |"
        )


if __name__ == "__main__":
    main()
