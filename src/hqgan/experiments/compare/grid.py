"""The grid of contestants, seeds and data: each cell trained, measured on its test part, and kept.

Its folder holds ``runs/DATA/NAME-seedS/`` (runs; DATA is `data_folder`), ``results/DATA/NAME-seedS.json`` (what was measured),
``pictures/``, ``study/`` where one was asked for, ``settings.json``, and at the end ``compare.json``. What is there is not made
again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from hqgan.config import DataConfig
from hqgan.data.near_duplicates import shared_images
from hqgan.errors import UserError
from hqgan.experiments import study as studies
from hqgan.experiments.compare import summary
from hqgan.experiments.compare.contestants import (
    SETTINGS,
    Contestant,
    Result,
    Settings,
    check,
    config_of,
    data_folder,
    result_path,
    run_path,
)
from hqgan.experiments.compare.estimate import lengths, read_settings, stored_lengths
from hqgan.experiments.compare.measure import Cell, cell_of, measure, picture
from hqgan.experiments.study.sources import GAUSSIAN, check_run
from hqgan.io.files import others, sweep, write_atomically
from hqgan.io.lock import LOCK, exclusive
from hqgan.metrics.extractors.pretrained import Borrowed
from hqgan.run import train as runs
from hqgan.training import checkpoint
from hqgan.training.state import State
from hqgan.wording import listed, plural

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
        What ``compare.json`` holds; see `hqgan.experiments.compare.summary`.

    Raises:
        UserError: bad input, or results made with other settings.
    """
    contestants = check(settings)
    _check_folder(out, read_settings(out), settings)
    with exclusive(out):
        before = read_settings(out)  # now that nobody else can change it
        _check_folder(out, before, settings)
        sweep(out, "results/**/.*.part", "pictures/.*.part", f".{SETTINGS}.*.part", ".compare.json.*.part")
        cells = {path: cell_of(path, 0, settings, borrowed, say, on_data) for path in settings.data}
        folders = {path: data_folder(cell.data) for path, cell in cells.items()}
        if len(set(folders.values())) < len(folders):
            raise UserError(f"--data {listed(list(folders))} hold the same images; give each once.")
        _warn_of_overlaps(cells, say)
        kimg = lengths(settings, stored_lengths(before, settings))
        _write_settings(out, before, settings, kimg)
        found: list[Result] = []
        for path, folder in folders.items():
            results: list[Result] = []
            for seed in range(settings.seeds):
                cell = cells[path] if seed == 0 else cell_of(path, seed, settings, borrowed, say, on_data)
                for one in contestants:
                    config = config_of(one, path, seed, settings, kimg[one.run])
                    where = run_path(out, folder, one, seed)
                    if not runs.is_finished(config, where):
                        say(f"{one.run} on {cell.data.name}, seed {seed}")
                        runs.train(config, where, resume=True, say=say, on_step=on_step, alone=True)
                    check_run(where, cell.data, cell.split)
                    results.append(_measured(where, result_path(out, folder, one, seed), one, cell))
            drawn = [run_path(out, folder, one, 0) for one in contestants]
            picture(contestants, drawn, cells[path], out / "pictures" / f"{folder}.png")
            about = {"folder": folder, **_about(cells[path], path, settings)}
            found.append(summary.of_data(results, contestants, about))
            if settings.study is not None:
                config = config_of(contestants[0], path, 0, settings, None)
                given = [str(run_path(out, folder, one, s)) for one in contestants for s in range(settings.seeds)]
                _study(settings, config.data, tuple(given), out / "study" / folder, say, on_data, on_arm)
        values = {"settings": {**asdict(settings), "lengths": kimg}, "data": found}
        write_atomically(out / "compare.json", (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
        return values


def _warn_of_overlaps(cells: Mapping[str, Cell], say: Say) -> None:
    """Two data sets that share images are not two pieces of evidence: ISIC 2019 holds HAM10000."""
    for (path, cell), (other, theirs) in combinations(cells.items(), 2):
        if shared := shared_images(cell.data.images, theirs.data.images):
            count = f"{plural(shared, 'image')} of the {len(theirs.data):,}"
            say(f"{count} in {other} are in {path} too: what is found on both is not found twice")


def _measured(run: Path, path: Path, contestant: Contestant, cell: Cell) -> Result:
    """What was measured of a run, now or before."""
    newest = checkpoint.latest(run / "checkpoints")
    assert newest is not None
    wanted = {
        "checkpoint_sha256": checkpoint.read_values(newest)["sha256"],
        "backend": contestant.backend,
        "shots": contestant.shots,
        **cell.key,
    }
    if path.exists():
        try:
            before = json.loads(path.read_text())
            if before["key"] == wanted:
                return {**before["result"], "name": contestant.name}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged ({error}); remove it and run again: its run is kept.") from error
    cell.say(f"measuring {contestant.name}, seed {cell.seed}")
    result = measure(contestant, run, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"key": wanted, "result": result}, indent=1, allow_nan=False) + "\n"
    write_atomically(path, text.encode())
    return result


def _check_folder(out: Path, before: Result, settings: Settings) -> None:
    """Refuse a folder that is not a comparison's, or one of images of another size."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out.")
    if before and before.get("size") != settings.size:
        raise UserError(f"{out} does not hold a comparison at {settings.size} pixels; choose another --out.")
    if not before and others(out, "runs", "log.txt", LOCK, SETTINGS):
        raise UserError(f"{out} holds files that are not a comparison's; choose another --out.")


def _write_settings(out: Path, before: Result, settings: Settings, kimg: Mapping[str, float | None]) -> None:
    """Write down what is asked for now, and what any seconds ever came to."""
    known = dict(before.get("lengths", {}))
    if settings.seconds is not None:
        known[f"{settings.seconds:g}"] = kimg
    values = {"of": "compare", **asdict(settings), "lengths": known}
    write_atomically(out / SETTINGS, (json.dumps(values, indent=1) + "\n").encode())


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
        "published_split": data.sides is not None,
        **counts,
        "size": settings.size,
        "seeds": settings.seeds,
    }


def _study(
    settings: Settings,
    data: DataConfig,
    given: tuple[str, ...],
    out: Path,
    say: Say,
    on_data: Callable[[int, int], None] | None,
    on_arm: Callable[[int, int], None],
) -> None:
    """The augmentation study with the comparison's runs, and the PCA-Gaussian, as sources of images."""
    asked = studies.Settings(
        data.path, size=data.size, seeds=tuple(range(settings.seeds)), generators=(GAUSSIAN,), given=given,
        fractions=(data.fraction,), choice=data.choice,
    )  # fmt: skip
    studies.study(replace(asked, **settings.study or {}), out, say=say, on_data=on_data, on_arm=on_arm)
