"""Seconds of a whole training iteration of each preset on random images, on this machine's CPU.

python benchmarks/iteration.py --json iteration.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from hqgan.config import PRESETS, preset
from hqgan.presets import seconds_per_step
from hqgan.training.loop import images_per_step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10, help="timed iterations of each preset; the fastest counts")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in PRESETS:
        config = preset(name)
        seconds = seconds_per_step(config, 8, options.steps)
        found[name] = {"seconds": seconds, "images_per_second": images_per_step(config.training) / seconds}
        print(f"{name:8} {1000 * seconds:8.1f} ms an iteration, {found[name]['images_per_second']:7.1f} images/s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
