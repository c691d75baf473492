"""What privacy costs and what it hides: the colours that private generators learn, and the membership audit of each.

On procedural lesions: many, where there is something to learn under noise, and few, where training without privacy can learn
images by heart. Each epsilon on each data set is a run of preset ``private``; without one it is a run of preset ``demo``, shown
as many images: the same generator, with a critic and rates that are made for training without noise. Run again, it goes on from
the runs that are there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan import config as configs
from hqgan.data import load_split, open_configured
from hqgan.evaluation.audit import audit
from hqgan.run.folder import is_finished
from hqgan.run.train import train
from hqgan.sampling.images import matched_images
from hqgan.sampling.load import load
from hqgan.types import ImageData, Split

ARMS = [("demo:12000", None), ("demo:12000", 8.0), ("demo:12000", 2.0), ("demo:700", None), ("demo:700", 8.0)]
IMAGES = 64
"""Generated of each class, for its mean colour."""
PERMUTATIONS = 999


def colours(images: np.ndarray) -> np.ndarray:
    """Mean colour (3,) of the inner quarter of (N, S, S, 3) images, where the lesion is; in grey levels."""
    side = images.shape[1]
    inner = images[:, side // 4 : -(side // 4), side // 4 : -(side // 4)]
    return inner.reshape(-1, 3).mean(0, dtype=np.float64)


def distances(images: np.ndarray, labels: np.ndarray, data: ImageData, split: Split) -> np.ndarray:
    """Between mean colours of each class's images (rows) and of each class's real ones of the test part, in grey levels."""
    real = [colours(data.images[split.test[data.labels[split.test] == c]]) for c in range(len(data.classes))]
    made = [colours(images[labels == c]) for c in range(len(data.classes))]
    return np.linalg.norm(np.array(made)[:, None] - np.array(real)[None], axis=2)


def measure(run: Path) -> dict[str, Any]:
    """Colours and audit of a finished run, and what it spent."""
    loaded = load(run)
    data = open_configured(loaded.config.data)
    split = load_split(run / "split.json", data)
    labels = np.repeat(np.arange(len(data.classes)), IMAGES)
    made = distances(matched_images(loaded.generator, data.classes, labels, seed=0), labels, data, split)
    known = distances(data.images[split.train], data.labels[split.train], data, split)
    found = audit(run, None, permutations=PERMUTATIONS)
    over_all = {row["space"]: row for row in found["nearest"] if row["class"] is None}
    return {
        "lesions": len(np.unique(data.groups[split.train])),
        "privacy": loaded.values.get("privacy"),
        "classes": list(data.classes),
        "own": np.diag(made).tolist(),
        "right": int((made.argmin(1) == np.arange(len(made))).sum()),
        "right_real": int((known.argmin(1) == np.arange(len(known))).sum()),
        "own_real": np.diag(known).tolist(),
        "nearest": {space: [row["share"], row["p_value"]] for space, row in over_all.items()},
        "membership": found["membership"],
        "flagged": len(found["flagged"]),
        "verdict": found["verdict"],
    }


def main() -> None:
    """Train and measure each arm; print one line an arm and table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/private"))
    parser.add_argument("--kimg", type=float, default=76.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = {}
    for path, epsilon in ARMS:
        name = f"{path.replace(':', '-')}-{'inf' if epsilon is None else format(epsilon, 'g')}"
        changes = {
            "data.path": path,
            "data.size": 32,
            "training.kimg": arguments.kimg,
            "training.seed": arguments.seed,
            "training.sample_kimg": arguments.kimg,
            "training.evaluate_kimg": arguments.kimg,
            "training.checkpoint_kimg": arguments.kimg / 4,
            "privacy.epsilon": epsilon,
        }
        config, out = configs.preset("private" if epsilon else "demo", changes), arguments.out / name
        if not is_finished(config, out):
            print(f"training {name}", flush=True)
            train(config, out, resume=(out / "config.json").exists())
        results[path, epsilon] = measure(out)
    _print(results)
    if arguments.json:
        rows = [{"data": path, "epsilon": epsilon, **found} for (path, epsilon), found in results.items()]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _print(results: dict[tuple[str, float | None], dict[str, Any]]) -> None:
    classes = next(iter(results.values()))["classes"]
    print("| data | epsilon | noise multiplier | nearest class its own |", " | ".join(classes), "|")
    print("| --- | ---: | ---: | ---: |", "---: | " * len(classes))
    for (path, epsilon), found in results.items():
        if epsilon is None:
            cells = [path, "real, training part", "", f"{found['right_real']} of {len(classes)}"]
            print("|", " | ".join(cells + [f"{x:.0f}" for x in found["own_real"]]), "|")
        spent = "without" if found["privacy"] is None else f"{found['privacy']['spent']:.2f}"
        noise = "" if found["privacy"] is None else f"{found['privacy']['noise_multiplier']:.3f}"
        cells = [path, spent, noise, f"{found['right']} of {len(classes)}", *(f"{x:.0f}" for x in found["own"])]
        print("|", " | ".join(cells), "|")
    print()
    print(
        "| data | lesions | epsilon | nearest in training: pixels | features | black box | control | critic | control | flagged |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (path, _), found in results.items():
        spent = "without" if found["privacy"] is None else f"{found['privacy']['spent']:.2f}"
        near = [f"{share:.1%} (p {p:.2g})" for share, p in found["nearest"].values()]
        attacks = [
            cell
            for row in found["membership"]
            for cell in (f"{row['auroc']:.3f} (p {row['p_value']:.2g})", f"{row['control_auroc']:.3f}")
        ]
        print("|", " | ".join([path, f"{found['lesions']:,}", spent, *near, *attacks, str(found["flagged"])]), "|")


if __name__ == "__main__":
    main()
