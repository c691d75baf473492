"""The grid of contestants, seeds and data: each cell trained, measured on its test part, and kept.

Its folder holds ``runs/DATA/NAME-seedS/`` (runs), ``results/DATA/NAME-seedS.json`` (what was measured), ``pictures/``, ``study/``
where one was asked for, ``settings.json``, and at the end ``compare.json``. What is there is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from hqgan import run as runs
from hqgan import study as studies
from hqgan.compare import summary
from hqgan.compare.contestants import (
    SETTINGS,
    Contestant,
    Result,
    Settings,
    config_of,
    contestants_of,
    result_path,
    run_path,
)
from hqgan.compare.estimate import lengths, read_lengths
from hqgan.compare.measure import Cell, cell_of, measure, picture
from hqgan.metrics.pretrained import Borrowed
from hqgan.study.sources import GAUSSIAN
from hqgan.training import checkpoint
from hqgan.training.state import State
from hqgan.types import UserError

Say = Callable[[str], None]


def compare(
    settings: Settings,
    out: Path,
    *,
    borrowed: Borrowed | None = None,
    say: Say,
    on_data: Callable[[int, int], None] | None = None,
    on_step: Callable[[State, int], None] = lambda state, total: None,
    on_arm: Callable[[int, int], None] = lambda done, total: None,
) -> Result:
    """Run, or go on with, a comparison.

    Args:
        settings: what to do.
        out: its folder; new, empty, or a comparison's. More contestants, seeds or data may be asked for than before.
        borrowed: networks trained elsewhere, for the metrics that need them.
        say: told what goes on.
        on_data: decoding progress.
        on_step: training progress of a run.
        on_arm: classifiers done and in all, of the study.

    Returns:
        What ``compare.json`` holds; see `hqgan.compare.summary`.

    Raises:
        UserError: bad input, or results made with other settings.
    """
    contestants = contestants_of(settings)
    for one in contestants:  # refused now, not after an hour
        config_of(one, settings.data[0], 0, settings, settings.kimg)
    _claim(out, settings)
    kimg = lengths(settings, read_lengths(out, settings))
    _write_settings(out, settings, kimg)
    found: list[Result] = []
    for path in settings.data:
        results: list[Result] = []
        about: Result = {}
        for seed in range(settings.seeds):
            cell = cell_of(path, seed, settings, borrowed, say, on_data)
            name = cell.data.name
            for one in contestants:
                config = config_of(one, path, seed, settings, kimg[one.name])
                if not runs.is_finished(config, run_path(out, name, one, seed)):
                    say(f"{one.run} on {name}, seed {seed}")
                    runs.go_on(config, run_path(out, name, one, seed), say=say, on_step=on_step)
                results.append(_measured(out, one, cell))
            if seed == 0:
                about = _about(cell, path, settings)
                drawn = [run_path(out, name, one, 0) for one in contestants]
                picture(contestants, drawn, cell, out / "pictures" / f"{name}.png")
        if any(before["name"] == about["name"] for before in found):
            raise UserError(f"Two data sets are called {about['name']}; compare on them one by one.")
        found.append(summary.of_data(results, contestants, about))
        if settings.study is not None:
            _study(settings, path, about["name"], contestants, out, say, on_data, on_arm)
    values = {"settings": {**asdict(settings), "lengths": kimg}, "data": found}
    checkpoint.write_atomically(out / "compare.json", (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
    return values


def _measured(out: Path, contestant: Contestant, cell: Cell) -> Result:
    """What was measured of a run, now or before."""
    run = run_path(out, cell.data.name, contestant, cell.seed)
    path = result_path(out, cell.data.name, contestant, cell.seed)
    newest = checkpoint.latest(run / "checkpoints")
    assert newest is not None
    wanted = {"checkpoint_sha256": checkpoint.read_values(newest)["sha256"], **cell.key}
    if path.exists():
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); remove it and run again: its run is kept.") from error
        if before["key"] == wanted:
            return before["result"]
    cell.say(f"measuring {contestant.name}, seed {cell.seed}")
    result = measure(contestant, run, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"key": wanted, "result": result}, indent=1, allow_nan=False) + "\n"
    checkpoint.write_atomically(path, text.encode())
    return result


def _claim(out: Path, settings: Settings) -> None:
    """Make the folder a comparison's, or see that it is one of images of this size."""
    path = out / SETTINGS
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out.")
    if path.exists():
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); choose another --out.") from error
        if before.get("of") != "compare" or before["size"] != settings.size:
            raise UserError(f"{out} does not hold a comparison at {settings.size} pixels; choose another --out.")
    elif out.exists() and any(p.name not in ("runs", "log.txt") for p in out.iterdir()):
        raise UserError(f"{out} holds files that are not a comparison's; choose another --out.")


def _write_settings(out: Path, settings: Settings, kimg: Mapping[str, float | None]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    values = {"of": "compare", **asdict(settings), "lengths": kimg}
    checkpoint.write_atomically(out / SETTINGS, (json.dumps(values, indent=1) + "\n").encode())


def _about(cell: Cell, path: str, settings: Settings) -> Result:
    """What a page says of the data."""
    data, split = cell.data, cell.split
    counts = {key: np.bincount(data.labels[part], minlength=len(data.classes)).tolist()
              for key, part in (("training_images", split.train), ("test_images", split.test))}  # fmt: skip
    return {
        "name": data.name,
        "path": path,
        "fingerprint": data.fingerprint,
        "licence": data.licence,
        "classes": list(data.classes),
        **counts,
        "size": settings.size,
        "seeds": settings.seeds,
    }


def _study(
    settings: Settings,
    data: str,
    name: str,
    contestants: list[Contestant],
    out: Path,
    say: Say,
    on_data: Callable[[int, int], None] | None,
    on_arm: Callable[[int, int], None],
) -> None:
    """The augmentation study with the comparison's runs, and the PCA-Gaussian, as sources of images."""
    given = [str(run_path(out, name, one, seed)) for one in contestants for seed in range(settings.seeds)]
    asked = studies.Settings(
        data, size=settings.size, seeds=tuple(range(settings.seeds)), generators=(GAUSSIAN,), given=tuple(given)
    )
    studies.study(replace(asked, **settings.study or {}), out / "study" / name, say=say, on_data=on_data, on_arm=on_arm)
