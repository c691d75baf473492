"""The grid of contestants, seeds and data: how long it will take; each cell is trained, measured on its test part, and stored.

Its folder holds ``runs/DATA/NAME-seedS/`` (runs; DATA is `data_folder`), ``results/DATA/NAME-seedS.json`` (what was measured),
``pictures/``, ``study/`` if one was asked for, ``settings.json``, and at the end ``compare.json``. Finished parts are not done
again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from hqgan.config import Config, DataConfig
from hqgan.data import open_configured
from hqgan.data.near_duplicates import shared_images
from hqgan.errors import UserError
from hqgan.experiments import folder
from hqgan.experiments import study as studies
from hqgan.experiments.compare import results, summary
from hqgan.experiments.compare.contestants import Contestant, Settings, check, config_of, contestants_of, data_folder
from hqgan.experiments.compare.measure import Cell, cell_of, foreseen, measure, picture
from hqgan.experiments.splits import train_on_split
from hqgan.experiments.study.sources import GAUSSIAN
from hqgan.io.files import sweep
from hqgan.metrics.extractors.pretrained import PretrainedNetworks
from hqgan.reporter import SILENT, Reporter
from hqgan.run.folder import is_finished
from hqgan.run.preset_table import seconds_per_step
from hqgan.runtime.devices import resolve_device
from hqgan.training import checkpoint
from hqgan.training.length import images_per_step, steps_of
from hqgan.wording import listed, plural

TIMED = 16
"""Steps that are timed; penalties that come every 8 or 16 steps are among them."""
CLASSES = 8
"""Classes of the random images that are timed: the number hardly matters, and no data set has to be decoded."""


def compare(
    settings: Settings, out: Path, *, borrowed: PretrainedNetworks | None = None, reporter: Reporter = SILENT
) -> results.CompareResult:
    """Run a comparison, or continue it.

    Args:
        settings: what to do.
        out: its folder: new, empty, or that of a comparison, which may now have more contestants, seeds or data than before.
        borrowed: networks trained elsewhere, for the metrics that need them.
        reporter: receives messages and progress.

    Returns:
        The result, which is also in ``compare.json``.

    Raises:
        UserError: bad input, or stored results that were made with other settings.
    """
    contestants = check(settings)
    _stored_settings(out, settings)
    with folder.held(out):
        before = _stored_settings(out, settings)  # again, now that no other process can change it
        sweep(out, "results/**/.*.part", "pictures/.*.part", f".{folder.SETTINGS}.*.part", ".compare.json.*.part")
        cells = {path: cell_of(path, 0, settings, borrowed, reporter) for path in settings.data}
        folders = {path: data_folder(cell.data) for path, cell in cells.items()}
        if len(set(folders.values())) < len(folders):
            raise UserError(f"`data` {listed(list(folders))} hold the same images; give each once.")
        _warn_of_overlaps(cells, reporter)
        kimg = lengths(settings, before)
        known = dict(before.get("lengths", {}))
        if settings.seconds is not None:
            known[f"{settings.seconds:g}"] = kimg
        folder.write_settings(out, "comparison", {**asdict(settings), "lengths": known})
        found: list[results.DataResult] = []
        for path, name in folders.items():
            measured: list[results.RunResult] = []
            measured_before = all(one.result_path(out, name, 0).exists() for one in contestants)
            if not measured_before and (why := foreseen(cells[path])):
                reporter.message(why)
            for seed in range(settings.seeds):
                cell = cells[path] if seed == 0 else cell_of(path, seed, settings, borrowed, reporter)
                for one in contestants:
                    config, run = config_of(one, path, seed, settings, kimg[one.run]), one.run_path(out, name, seed)
                    title = f"training {one.run} on {cell.data.name}, seed {seed}"
                    train_on_split(config, run, cell.data, cell.split, title, reporter)
                    measured.append(_measured(run, one.result_path(out, name, seed), one, cell))
            drawn = [one.run_path(out, name, 0) for one in contestants]
            picture(contestants, drawn, cells[path], out / "pictures" / f"{name}.png")
            about = {"folder": name, "path": path, "size": settings.size, "seeds": settings.seeds}
            found.append(summary.of_data(measured, contestants, cells[path], about))
            if settings.study is not None:
                config = config_of(contestants[0], path, 0, settings, None)
                given = [str(one.run_path(out, name, s)) for one in contestants for s in range(settings.seeds)]
                _study(settings, config.data, tuple(given), out / "study" / name, reporter)
        result = results.CompareResult({**asdict(settings), "lengths": kimg}, found)
        folder.write_json(out / "compare.json", results.as_json(result))
        return result


def _warn_of_overlaps(cells: Mapping[str, Cell], reporter: Reporter) -> None:
    """Warn of data sets that share images, as ISIC 2019 and HAM10000 do: they are not independent evidence."""
    for (path, cell), (other, theirs) in combinations(cells.items(), 2):
        if shared := shared_images(cell.data.images, theirs.data.images):
            count = f"{plural(shared, 'image')} of the {len(theirs.data):,}"
            reporter.message(f"{count} in {other} are also in {path}: results on the two are not independent")


def _measured(run: Path, path: Path, contestant: Contestant, cell: Cell) -> results.RunResult:
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
            # Older files call extractors views.
            if {"extractors" if name == "views" else name: v for name, v in before["key"].items()} == wanted:
                return replace(results.run_from_json(before["result"]), name=contestant.name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is damaged ({error}); remove it and run again: its run is kept.") from error
    cell.reporter.message(f"measuring {contestant.name}, seed {cell.seed}")
    result = measure(contestant, run, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder.write_json(path, {"key": wanted, "result": results.run_as_json(result)})
    return result


def _stored_settings(out: Path, settings: Settings) -> dict[str, Any]:
    """The settings that the folder holds; one of images of another size is refused."""
    before = folder.read_settings(out, "comparison", "runs")
    if before and before.get("size") != settings.size:
        raise UserError(f"{out} does not hold a comparison at {settings.size} pixels; choose another `out`.")
    return before


def _study(settings: Settings, data: DataConfig, given: tuple[str, ...], out: Path, reporter: Reporter) -> None:
    """Run the augmentation study with the comparison's runs and the PCA-Gaussian as sources of images."""
    asked = studies.Settings(
        data.path, size=data.size, seeds=tuple(range(settings.seeds)), generators=(GAUSSIAN,), given=given,
        fractions=(data.fraction,), choice=data.choice,
    )  # fmt: skip
    studies.study(replace(asked, **settings.study or {}), out, reporter=reporter)


@dataclass(frozen=True)
class TrainingTime:
    """The time that the runs of one contestant take.

    Attributes:
        name: of its runs.
        seconds_per_kimg: seconds of training for a thousand images.
        kimg: length of a run.
        runs: in all.
        done: finished ones.
        hours: of training that are left.
    """

    name: str
    seconds_per_kimg: float
    kimg: float
    runs: int
    done: int
    hours: float


def _seconds_per_step(config: Config) -> float:
    """Seconds of a training step on this machine."""
    return seconds_per_step(config, CLASSES, TIMED, resolve_device(config.training.device))


def lengths(settings: Settings, before: Mapping[str, Any]) -> dict[str, float | None]:
    """Length of each run in thousands of images, by its name; None for its preset's own.

    Args:
        settings: a budget in seconds becomes as many images as the run's speed on this machine allows, to two digits.
        before: the settings stored in the comparison's folder; the lengths that this budget was turned into there are kept.
    """
    if settings.seconds is None:
        return {one.run: settings.kimg for one in contestants_of(settings)}
    found: dict[str, float | None] = dict(before.get("lengths", {}).get(f"{settings.seconds:g}", {}))
    for one in contestants_of(settings):
        if one.run not in found:
            config = config_of(one, "demo", 0, settings, None)
            shown = images_per_step(config.training)
            kimg = shown / _seconds_per_step(config) * settings.seconds / 1000
            found[one.run] = max(round(kimg, 1 - math.floor(math.log10(kimg))), shown / 1000)
    return found


def hours(settings: Settings, out: Path, reporter: Reporter = SILENT) -> list[TrainingTime]:
    """The training that a comparison still takes on this machine.

    A few steps of each contestant are timed on random images. Not included are decoding, feature extractors, and what a generator
    does before its first step (the autoencoder of latentqgan). `reporter` receives how many are timed, as task ``timing``.

    Raises:
        UserError: bad settings, or the folder `out` holds something else.
    """
    contestants = {one.run: one for one in check(settings)}
    kimg = lengths(settings, folder.read_settings(out, "comparison", "runs"))
    rows = []
    for number, one in enumerate(contestants.values()):
        reporter.progress("timing", number, len(contestants), "generators")
        config = config_of(one, settings.data[0], 0, settings, kimg[one.run])
        seconds = steps_of(config.training.kimg, config.training) * _seconds_per_step(config)
        done = 0
        for data in settings.data if out.exists() else ():
            name = data_folder(open_configured(config_of(one, data, 0, settings, None).data, reporter))
            for seed in range(settings.seeds):
                own = config_of(one, data, seed, settings, kimg[one.run])
                done += is_finished(own, one.run_path(out, name, seed))
        total = len(settings.data) * settings.seeds
        left = (total - done) * seconds / 3600
        rows.append(TrainingTime(one.run, seconds / config.training.kimg, config.training.kimg, total, done, left))
    return rows
