"""The study from beginning to end: splits, generators, pools of images, classifiers, and what comes of it.

Its folder holds ``generators/`` (runs), ``arms/`` (a JSON and the test probabilities of each classifier), ``pools/`` (generated
images, removed when their seed is done), ``settings.json``, and at the end ``study.json``. What is there is not made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import torch

from hqgan import config as configs
from hqgan.data import open_data
from hqgan.errors import UserError
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import classifiers, sources, summary, work
from hqgan.experiments.study.arms import Arm
from hqgan.experiments.study.cells import Cell, Settings, as_json, cell_name, cell_of, check, names_of, run_path
from hqgan.experiments.study.pools import pools_of, sources_about, with_sources
from hqgan.experiments.study.sources import GAUSSIAN
from hqgan.experiments.study.work import Task
from hqgan.io.files import others, sweep, write_atomically
from hqgan.io.lock import LOCK, exclusive, locked
from hqgan.run import train as runs
from hqgan.runtime.processes import ALL, Shard
from hqgan.runtime.threads import cores
from hqgan.training.state import State
from hqgan.wording import listed

Say = Callable[[str], None]
PROCESSES = ".processes"
"""Folder of what each of several processes holds while it works."""


def study(
    settings: Settings,
    out: Path,
    *,
    say: Say,
    on_data: Callable[[int, int], None] | None = None,
    on_step: Callable[[State, int], None] = lambda state, total: None,
    on_arm: Callable[[int, int], None] = lambda done, total: None,
    share: Shard = ALL,
) -> dict[str, Any] | None:
    """Run, or go on with, a study. Several processes share its seeds, and the one that ends last sums up.

    Args:
        settings: what to do.
        out: its folder; new, empty, or a study's. More seeds, generators or arms may be asked for than before.
        say: told what goes on.
        on_data: decoding progress.
        on_step: training progress of a generator.
        on_arm: classifiers done and classifiers in all, of this process.
        share: which seeds are this process's.

    Returns:
        What ``study.json`` holds, see `hqgan.experiments.study.summary`; None while other processes are at work.

    Raises:
        UserError: bad input, a leak, a run with another split, results made with other settings.
    """
    check(settings)
    settings = replace(settings, seeds=tuple(sorted(settings.seeds)))
    recipes = _recipes(settings)
    names = names_of(settings)
    arms = plans.arms_of(names, settings.uses, settings.ratios)
    cells = [cell_of(settings, seed, fraction, on_data) for fraction in settings.fractions for seed in settings.seeds]
    for cell in cells:
        if lacking := [n for n in names if n not in {*settings.generators, *cell.runs, *cell.folders}]:
            raise UserError(
                f"There is no run of {lacking[0]} for {cell_name(cell)}; give one, leave that seed out, or add {lacking[0]} to "
                "--generators to have it trained."
            )
    _check_folder(out, settings)
    with exclusive(out if share.world == 1 else out / PROCESSES / str(share.rank)):
        _check_folder(out, settings)  # now that nobody else can change it
        # Either is refused while the other is at work here: one process alone, and processes of torchrun.
        for held in (out / PROCESSES).glob("*") if share.world == 1 else (out,):
            with exclusive(held, patience=5 if share.world > 1 else 0):  # processes of torchrun look in turn
                pass
        _write_settings(out, settings)
        mine = share.rows(cells)
        for cell in mine:
            _train_generators(cell, settings, out, say, on_step)
        total = len(mine) * len(arms) * len(recipes)
        results: list[tuple[Task, dict[str, Any]]] = []
        for cell in mine:
            results += _classify(cell, settings, out, arms, recipes, say, on_arm, len(results), total)
        if share.world > 1:
            with locked(out):
                tasks = [
                    _task(settings, out, c, arm, recipe) for c in cells for recipe in recipes.values() for arm in arms
                ]
                if not all(task.result.exists() for task in tasks):
                    return None
                silent = (runs.silent, lambda done, total: None, 0, 0)
                results = [pair for c in cells for pair in _classify(c, settings, out, arms, recipes, *silent)]
        shutil.rmtree(out / "pools", ignore_errors=True)
        sweep(out, "arms/**/.*.part", "pictures/.*.part", ".settings.json.*.part", ".study.json.*.part")
        say("drawing from seeds and lesions")
        about = sources_about(cells, names, out)
        parts = {(c.seed, c.fraction): (c.data, c.split) for c in cells}
        values = summary.summarise(results, parts, arms, recipes, about)
        values = {"settings": as_json(settings), **values}
        write_atomically(out / "study.json", (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
        return values


def _classify(
    cell: Cell,
    settings: Settings,
    out: Path,
    arms: Sequence[Arm],
    recipes: Mapping[str, classifiers.Recipe],
    say: Say,
    on_arm: Callable[[int, int], None],
    before: int,
    total: int,
) -> list[tuple[Task, dict[str, Any]]]:
    """Train and test every classifier of a cell that is not finished; its tasks with their results."""
    tasks = [_task(settings, out, cell, arm, recipe) for recipe in recipes.values() for arm in arms]
    tasks = list(with_sources(tasks, cell, settings, out, say))
    for task in tasks:
        _check_same(task)
    open_tasks = [task for task in tasks if work.finished(task) is None]
    done = before + len(tasks) - len(open_tasks)
    on_arm(done, total)
    for _ in _each(open_tasks, settings.jobs):
        done += 1
        on_arm(done, total)
    shutil.rmtree(pools_of(out, cell), ignore_errors=True)
    return [(task, work.finished(task) or {}) for task in tasks]


def _recipes(settings: Settings) -> dict[str, classifiers.Recipe]:
    weights = dict(settings.weights)
    if unused := [name for name in weights if name not in settings.classifiers]:
        raise UserError(
            f"--weights names {unused[0]!r}, which is none of the classifiers {listed(settings.classifiers)}."
        )
    recipes = {}
    for name in settings.classifiers:
        recipes[name] = classifiers.recipe_of(name, settings.steps, None)
        if name in weights:
            recipes[f"{name}-tuned"] = classifiers.recipe_of(name, settings.steps, weights[name])
            classifiers.build(recipes[f"{name}-tuned"], 2, settings.size)  # refused now, not after an hour
    return recipes


def _check_folder(out: Path, settings: Settings) -> None:
    """Refuse a folder that is not a study's, or one of other data."""
    path = out / "settings.json"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out.")
    if path.exists():
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); choose another --out.") from error
        if before.get("fingerprint") != _fingerprint(settings):
            raise UserError(f"{out} holds a study of other data; choose another --out.")
    elif others(out, "generators", "log.txt", LOCK, PROCESSES, "settings.json"):
        raise UserError(f"{out} holds files that are not a study's; choose another --out.")


def _write_settings(out: Path, settings: Settings) -> None:
    values = {"fingerprint": _fingerprint(settings), **as_json(settings)}
    write_atomically(out / "settings.json", (json.dumps(values, indent=1) + "\n").encode())


def _fingerprint(settings: Settings) -> str:
    return open_data(settings.data, settings.size, choice=settings.choice).fingerprint


def _train_generators(
    cell: Cell, settings: Settings, out: Path, say: Say, on_step: Callable[[State, int], None]
) -> None:
    """Train every preset on this cell's training part, or go on with it, unless a run was given."""
    for name in settings.generators:
        if name == GAUSSIAN or name in cell.runs:
            continue
        path = run_path(out, cell, name)
        changes: dict[str, Any] = {
            "data.path": settings.data,
            "data.size": settings.size,
            "data.choice": settings.choice.model_dump(mode="json"),
            "data.seed": cell.seed,
            "data.fraction": cell.fraction,
            "training.seed": cell.seed,
            "training.device": settings.device,
        }
        if settings.kimg is not None:
            changes["training.kimg"] = settings.kimg
        config = configs.preset(name, changes)
        if runs.is_finished(config, path):
            sources.check_run(path, cell.data, cell.split)
            continue
        say(f"training {name}, {cell_name(cell)}")
        runs.train(config, path, resume=True, say=say, on_step=on_step, alone=True)


def _task(settings: Settings, out: Path, cell: Cell, arm: Arm, recipe: classifiers.Recipe) -> Task:
    name = recipe.network + ("-tuned" if recipe.weights else "")
    return Task(
        result=out / "arms" / cell_name(cell) / name / f"{arm.name}.json",
        data=(settings.data, settings.size, cell.seed, settings.choice),
        seed=cell.seed,
        fraction=cell.fraction,
        rare=tuple(cell.rare),
        arm=arm,
        recipe=recipe,
        pool=None if arm.generator is None else pools_of(out, cell) / arm.generator,
        source=None,
        fingerprint=cell.data.fingerprint,
        split=_split_hash(cell),
        weights=_file_hash(recipe.weights) if recipe.weights else None,
        threads=max(1, cores() // settings.jobs),
    )


def _split_hash(cell: Cell) -> str:
    """Hex SHA-256 of the files and lesions of the training and the test part."""
    digest = hashlib.sha256()
    for rows in (cell.split.train, cell.split.test):
        digest.update(json.dumps([cell.data.files[rows].tolist(), cell.data.groups[rows].tolist()]).encode())
    return digest.hexdigest()


@cache
def _file_hash(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_same(task: Task) -> None:
    """A finished result has to be of the same settings."""
    before = work.finished(task)
    if before is None:
        return
    wanted = json.loads(json.dumps(task.key()))
    if before["key"] != wanted:
        changed = [k for k in wanted if before["key"].get(k) != wanted[k]]
        old, new = before["key"].get(changed[0]), wanted[changed[0]]
        if isinstance(old, dict) and isinstance(new, dict):
            inner = next(k for k in new if old.get(k) != new[k])
            changed[0], old, new = f"{changed[0]}.{inner}", old.get(inner), new[inner]
        raise UserError(
            f"{task.result} was made with other settings (theirs / yours differ in {changed[0]}: {old} / {new}); choose another "
            "--out, or the same settings."
        )


def _each(tasks: Sequence[Task], jobs: int) -> Iterator[str]:
    """Run tasks, `jobs` at a time in processes of their own; names as they finish."""
    if jobs == 1 or len(tasks) < 2:
        before = torch.get_num_threads()
        for task in tasks:
            yield work.run(task)
        torch.set_num_threads(before)
        return
    # Ctrl-C reaches every process of the terminal; this one answers it, and ends the others.
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        try:
            yield from pool.map(work.run, tasks)
        except BrokenProcessPool as error:
            raise UserError(
                "The system ended a classifier's process, most likely for want of memory; run the same command with fewer "
                "--jobs: finished arms are kept."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise
