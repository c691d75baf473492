"""A study from beginning to end: splits, generators, pools of generated images, classifiers, and the result.

Its folder holds ``generators/`` (runs), ``arms/`` (a JSON and the test probabilities of each classifier), ``pools/`` (generated
images, removed when their seed is done), ``settings.json``, and at the end ``study.json``. Finished parts are not done again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from multiprocessing import active_children, get_context
from pathlib import Path

import torch

from hqgan.data import open_data
from hqgan.errors import UserError
from hqgan.experiments import folder
from hqgan.experiments.splits import parts_hash, train_on_split
from hqgan.experiments.study import arms as plans
from hqgan.experiments.study import classifiers, results, summary, work
from hqgan.experiments.study.cells import Cell, CellFolders, Settings, as_json, cell_of, check, names_of
from hqgan.experiments.study.estimate import estimate
from hqgan.experiments.study.results import StudyResult
from hqgan.experiments.study.sources import FITTED, source_rows, with_sources
from hqgan.experiments.study.uses import current_name
from hqgan.io.files import sweep
from hqgan.io.lock import locked
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.processes import ALL, Shard
from hqgan.runtime.threads import cores
from hqgan.wording import listed

Tasks = Mapping[str, Sequence[work.Task]]
"""What to train and test, by the name of the cell."""


def study(settings: Settings, out: Path, *, reporter: Reporter = SILENT, share: Shard = ALL) -> StudyResult | None:
    """Run a study, or continue it. Several processes share its seeds; the one that finishes last computes the result.

    Args:
        settings: what to do.
        out: its folder: new, empty, or that of a study, which may now have more seeds, generators or arms than before.
        reporter: receives messages and progress; task ``classifiers`` counts those of this process.
        share: which of the seeds this process works on.

    Returns:
        The result, which is also in ``study.json``; None while other processes are still at work.

    Raises:
        UserError: bad input, a leak, a run with another split, or stored results that were made with other settings.
    """
    check(settings)
    uses = tuple(dict.fromkeys(current_name(use) for use in settings.uses))
    settings = replace(settings, seeds=tuple(sorted(settings.seeds)), uses=uses)
    recipes = _recipes(settings)
    names = names_of(settings)
    arms = plans.arms_of(names, settings.uses, settings.ratios)
    places = [CellFolders(seed, fraction, out) for fraction in settings.fractions for seed in settings.seeds]
    reporter.message("timing a few steps of each generator and classifier")
    reporter.message(str(estimate(settings, share.rows(places), arms, recipes)))
    cells = [cell_of(settings, place.seed, place.fraction, out, reporter) for place in places]
    for cell in cells:
        if lacking := [n for n in names if n not in {*settings.generators, *cell.runs, *cell.folders}]:
            raise UserError(
                f"There is no run of {lacking[0]} for {cell.name}; give one, leave that seed out, or add {lacking[0]} to "
                "`generators` to have it trained."
            )
    fingerprint = open_data(settings.data, settings.size, choice=settings.choice).fingerprint
    _check_data(out, fingerprint)
    with folder.held(out, share):
        _check_data(out, fingerprint)  # again, now that no other process can change it
        folder.write_settings(out, "study", {"fingerprint": fingerprint, **as_json(settings)})
        mine = share.rows(cells)
        for cell in mine:
            _train_generators(cell, settings, reporter)
        tasks = {
            cell.name: [_task(settings, cell, arm, recipe) for recipe in recipes.values() for arm in arms]
            for cell in cells
        }
        tested = _classify(mine, tasks, settings, reporter)
        if share.world > 1:
            with locked(out):
                if not all(task.result.exists() for own in tasks.values() for task in own):
                    return None
                tested = _classify(cells, tasks, settings, SILENT)
        shutil.rmtree(out / "pools", ignore_errors=True)
        sweep(out, "arms/**/.*.part", "pictures/.*.part", ".settings.json.*.part", ".study.json.*.part")
        reporter.message("computing intervals by bootstrap over seeds and lesions")
        result = summary.summarise(as_json(settings), tested, cells, arms, recipes, source_rows(cells, names))
        folder.write_json(out / "study.json", results.as_json(result))
        return result


def _classify(cells: Sequence[Cell], tasks_of: Tasks, settings: Settings, reporter: Reporter) -> summary.Results:
    """Train and test every classifier of the cells that is not finished; all tasks of these cells with their results."""
    found: list[tuple[work.Task, work.Tested]] = []
    total = sum(len(tasks_of[cell.name]) for cell in cells)
    for cell in cells:
        tasks = list(with_sources(tasks_of[cell.name], cell, settings, reporter))
        for task in tasks:
            _check_same(task)
        open_tasks = [task for task in tasks if work.finished(task) is None]
        done = len(found) + len(tasks) - len(open_tasks)
        reporter.progress("classifiers", done, total, "classifiers")
        for _ in _each(open_tasks, settings.jobs):
            done += 1
            reporter.progress("classifiers", done, total, "classifiers")
        shutil.rmtree(cell.pools, ignore_errors=True)
        found += [(task, result) for task in tasks if (result := work.finished(task)) is not None]
    return found


def _recipes(settings: Settings) -> dict[str, classifiers.Recipe]:
    weights = dict(settings.weights)
    if unused := [name for name in weights if name not in settings.classifiers]:
        raise UserError(
            f"`weights` names {unused[0]!r}, which is not among the classifiers {listed(settings.classifiers)}."
        )
    recipes = {}
    for name in settings.classifiers:
        recipes[name] = classifiers.recipe_of(name, settings.steps, None)
        if name in weights:
            recipes[f"{name}-tuned"] = classifiers.recipe_of(name, settings.steps, weights[name])
            classifiers.build(recipes[f"{name}-tuned"], 2, settings.size)  # bad weights are refused at once
    return recipes


def _check_data(out: Path, fingerprint: str) -> None:
    """Refuse a folder that holds something else, or a study of other data."""
    before = folder.read_settings(out, "study", "generators")
    if before and before.get("fingerprint") != fingerprint:
        raise UserError(f"{out} holds a study of other data; choose another `out`.")


def _train_generators(cell: Cell, settings: Settings, reporter: Reporter) -> None:
    """Train every preset on the cell's training part, or continue it, unless a run was given."""
    for name in settings.generators:
        if name in FITTED or name in cell.runs:
            continue
        config = cell.config(name, settings)
        train_on_split(config, cell.run(name), cell.data, cell.split, f"training {name}, {cell.name}", reporter)


def _task(settings: Settings, cell: Cell, arm: plans.Arm, recipe: classifiers.Recipe) -> work.Task:
    name = recipe.network + ("-tuned" if recipe.weights else "")
    return work.Task(
        result=work.result_file(cell.arms / name, arm),
        data=(settings.data, settings.size, cell.seed, settings.choice),
        seed=cell.seed,
        fraction=cell.fraction,
        rare=tuple(cell.rare),
        arm=arm,
        recipe=recipe,
        pool=None if arm.generator is None else cell.pools / arm.generator,
        source=None,
        fingerprint=cell.data.fingerprint,
        split=parts_hash(cell.data, cell.split.train, cell.split.test),
        weights=_file_hash(recipe.weights) if recipe.weights else None,
        threads=max(1, cores() // settings.jobs),
    )


@cache
def _file_hash(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_same(task: work.Task) -> None:
    """Refuse a finished result that was made with other settings."""
    before, wanted = work.finished(task), json.loads(json.dumps(task.key()))
    if before is not None and before.key != wanted:
        name = next(k for k in wanted if before.key.get(k) != wanted[k])
        old, new = before.key.get(name), wanted[name]
        if isinstance(old, dict) and isinstance(new, dict):
            inner = next(k for k in new if old.get(k) != new[k])
            name, old, new = f"{name}.{inner}", old.get(inner), new[inner]
        raise UserError(
            f"{task.result} was made with other settings (theirs / yours differ in {name}: {old} / {new}); choose another "
            "`out`, or the same settings."
        )


def _each(tasks: Sequence[work.Task], jobs: int) -> Iterator[str]:
    """Run tasks, `jobs` at a time in processes of their own; yields the names of arms as they finish."""
    if jobs == 1 or len(tasks) < 2:
        before = torch.get_num_threads()
        for task in tasks:
            yield work.run(task)
        torch.set_num_threads(before)
        return
    # Ctrl-C reaches every process of the terminal; only this one handles it, and then ends the others.
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        try:
            yield from pool.map(work.run, tasks)
        except BrokenProcessPool as error:
            raise UserError(
                "The system ended the process of a classifier, most likely because memory ran out. Run the same command with "
                "fewer `jobs`: finished arms are kept."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise
