"""The study from beginning to end: splits, generators, pools of images, classifiers, and what comes of it.

Its folder holds ``generators/`` (runs), ``arms/`` (a JSON and the test probabilities of each classifier), ``pools/`` (generated
images, removed when their seed is done), ``settings.json``, and at the end ``study.json``. What is there is not made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hqgan import config as configs
from hqgan import run as runs
from hqgan.data import check_leaks, open_data
from hqgan.data.cache import cores
from hqgan.evaluate import is_run, split_of, views_of
from hqgan.generate import load
from hqgan.images import labelled_rows, write_png
from hqgan.metrics import manifold
from hqgan.metrics.features import extract
from hqgan.study import arms as plans
from hqgan.study import classifiers, leaks, sources, summary, work
from hqgan.study.arms import Arm
from hqgan.study.sources import GAUSSIAN, Pool
from hqgan.study.work import Task
from hqgan.training import checkpoint
from hqgan.training.loop import State
from hqgan.types import ImageData, Split, UserError, listed

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What a study is to do.

    Attributes:
        data: a data set's folder, or demo.
        size: side of the images in pixels.
        seeds: one split, generator and classifier each.
        generators: presets to train, or ``pca-gaussian``.
        given: runs and folders of images beside them; a run is used for the seed whose split it was trained on.
        kimg: training length of the presets; None for the preset's own.
        classes: to fill up; None for the rare ones.
        uses: of generated images, keys of `arms.USES`.
        ratios: of the use ``mixed``.
        classifiers: names, each with its own results.
        weights: safetensors by classifier to fine-tune from.
        steps: of every classifier; None for its default.
        fractions: of the training part, each a study of its own.
        jobs: classifiers side by side.
        device: on which generators train.
    """

    data: str
    size: int = 64
    seeds: tuple[int, ...] = (0, 1, 2)
    generators: tuple[str, ...] = ("hqgan", "dcgan", GAUSSIAN)
    given: tuple[str, ...] = ()
    kimg: float | None = None
    classes: tuple[str, ...] | None = None
    uses: tuple[str, ...] = tuple(plans.USES)
    ratios: tuple[float, ...] = plans.RATIOS
    classifiers: tuple[str, ...] = ("small",)
    weights: tuple[tuple[str, str], ...] = ()
    steps: int | None = None
    fractions: tuple[float, ...] = (1.0,)
    jobs: int = 1
    device: str = "auto"


def quick(settings: Settings) -> Settings:
    """The same study cut down to minutes on two cores: two seeds, two generators, short training, few uses."""
    return replace(
        settings,
        seeds=settings.seeds[:2],
        generators=("demo", GAUSSIAN),
        kimg=settings.kimg or 6.0,
        uses=("mixed", "capped", "only"),
        ratios=(1.0,),
        steps=settings.steps or 100,
    )


@dataclass(frozen=True)
class _Cell:
    """One seed at one fraction: its data (the same for every seed, but for demo), split, and sources of images."""

    seed: int
    fraction: float
    data: ImageData
    split: Split
    rare: list[int]
    runs: dict[str, Path]
    folders: dict[str, Path]


def study(
    settings: Settings,
    out: Path,
    *,
    say: Say,
    on_data: Callable[[int, int], None] | None = None,
    on_step: Callable[[State, int], None] = lambda state, total: None,
    on_arm: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Run, or go on with, a study.

    Args:
        settings: what to do.
        out: its folder; new, empty, or a study's. More seeds, generators or arms may be asked for than before.
        say: told what goes on.
        on_data: decoding progress.
        on_step: training progress of a generator.
        on_arm: classifiers done and classifiers in all.

    Returns:
        What ``study.json`` holds; see `hqgan.study.summary`.

    Raises:
        UserError: bad input, a leak, a run with another split, results made with other settings.
    """
    _check(settings)
    settings = replace(settings, seeds=tuple(sorted(settings.seeds)))
    recipes = _recipes(settings)
    names = _names(settings)
    arms = plans.arms_of(names, settings.uses, settings.ratios)
    cells = [_cell(settings, seed, fraction, on_data) for fraction in settings.fractions for seed in settings.seeds]
    for cell in cells:
        if lacking := [n for n in names if n not in {*settings.generators, *cell.runs, *cell.folders}]:
            raise UserError(
                f"There is no run of {lacking[0]} for {_cell_name(cell)}; give one, leave that seed out, or add {lacking[0]} to "
                "--generators to have it trained."
            )
    _claim(out, settings)
    for cell in cells:
        _train_generators(cell, settings, out, say, on_step)
    total, done = len(cells) * len(arms) * len(recipes), 0
    results = []
    for cell in cells:
        tasks = [_task(settings, out, cell, arm, recipe) for recipe in recipes.values() for arm in arms]
        tasks = list(_with_sources(tasks, cell, settings, out, say))
        for task in tasks:
            _check_same(task)
        open_tasks = [task for task in tasks if work.finished(task) is None]
        done += len(tasks) - len(open_tasks)
        on_arm(done, total)
        for _ in _each(open_tasks, settings.jobs):
            done += 1
            on_arm(done, total)
        results += [(task, work.finished(task) or {}) for task in tasks]
        shutil.rmtree(_pools(out, cell), ignore_errors=True)
    shutil.rmtree(out / "pools", ignore_errors=True)
    say("drawing from seeds and lesions")
    about = _sources_about(cells, names, out)
    parts = {(c.seed, c.fraction): (c.data, c.split) for c in cells}
    values = summary.summarise(results, parts, arms, recipes, about)
    values = {"settings": json.loads(_json(settings)), **values}
    checkpoint.write_atomically(out / "study.json", (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
    return values


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


def _check(settings: Settings) -> None:
    """Refuse what no part of a study could work with."""
    if settings.size not in (32, 64):
        raise UserError(f"A study's images have 32 or 64 pixels, not {settings.size}; choose one of them by --size.")
    if wrong := [f for f in settings.fractions if not 0 < f <= 1]:
        raise UserError(
            f"--real-fraction {wrong[0]:g} is outside 0 to 1; 0.25 takes a quarter of the training part's lesions."
        )


def _names(settings: Settings) -> list[str]:
    """The sources of images by name, each once.

    Raises:
        UserError: a path that is not there, or two sources of one name.
    """
    folders: list[str] = []
    presets = list(settings.generators)
    for path in map(Path, settings.given):
        if not path.exists():
            raise UserError(f"There is no run or folder at {path}.")
        if is_run(path):
            presets.append(load(path).config.preset)
        else:
            folders.append(path.name)
    if twice := sorted({n for n in folders if folders.count(n) > 1 or n in {*presets, *configs.PRESETS, GAUSSIAN}}):
        raise UserError(f"Two sources of images would be called {twice[0]!r}: rename the folder of that name.")
    return list(dict.fromkeys([*presets, *folders]))


def _cell(settings: Settings, seed: int, fraction: float, on_data: Callable[[int, int], None] | None) -> _Cell:
    """A seed's data and split, checked, and the given runs and folders that belong to it."""
    data = open_data(settings.data, settings.size, seed=seed, progress=on_data)
    split = split_of(data, seed, fraction)
    check_leaks(split, data.groups)
    train, test = split.train, split.test
    leaks.refuse_copies(
        data.images[train],
        data.files[train].tolist(),
        data.images[test],
        data.files[test].tolist(),
        "the training image",
    )
    rare = plans.rare_classes(np.bincount(data.labels, minlength=len(data.classes)), data.classes, settings.classes)
    given_runs: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    for text in settings.given:
        path = Path(text)
        if not is_run(path):
            folders[path.name] = path
            continue
        config = load(path).config
        if config.data.seed not in settings.seeds or config.data.fraction not in settings.fractions:
            raise UserError(
                f"{path} was trained with data seed {config.data.seed} and fraction {config.data.fraction:g}, which this "
                "study does "
                "not have; add its seed to --seeds, or leave it out."
            )
        if (config.data.seed, config.data.fraction) == (seed, fraction):
            sources.check_run(path, data, split)
            if config.preset in given_runs:
                raise UserError(
                    f"{given_runs[config.preset]} and {path} are two runs of {config.preset} with one seed; give one."
                )
            given_runs[config.preset] = path
    return _Cell(seed, fraction, data, split, rare, given_runs, folders)


def _claim(out: Path, settings: Settings) -> None:
    """Make the folder a study's, or see that it is the same data's study."""
    path = out / "settings.json"
    data = open_data(settings.data, settings.size)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another --out.")
    if path.exists():
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); choose another --out.") from error
        if before.get("fingerprint") != data.fingerprint:
            raise UserError(f"{out} holds a study of other data; choose another --out.")
    elif out.exists() and any(p.name not in ("generators", "log.txt") for p in out.iterdir()):
        raise UserError(f"{out} holds files that are not a study's; choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    values = {"fingerprint": data.fingerprint, **json.loads(_json(settings))}
    checkpoint.write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())


def _json(settings: Settings) -> str:
    return json.dumps(asdict(settings))


def _cell_name(cell: _Cell) -> str:
    return f"seed{cell.seed}" + (f"-fraction{cell.fraction:g}" if cell.fraction != 1 else "")


def _run_path(out: Path, cell: _Cell, name: str) -> Path:
    return cell.runs.get(name) or out / "generators" / f"{name}-{_cell_name(cell)}"


def _pools(out: Path, cell: _Cell) -> Path:
    return out / "pools" / _cell_name(cell)


def _train_generators(
    cell: _Cell, settings: Settings, out: Path, say: Say, on_step: Callable[[State, int], None]
) -> None:
    """Train every preset on this cell's training part, or go on with it, unless a run was given."""
    for name in settings.generators:
        if name == GAUSSIAN or name in cell.runs:
            continue
        path = _run_path(out, cell, name)
        changes: dict[str, Any] = {
            "data.path": settings.data,
            "data.size": settings.size,
            "data.seed": cell.seed,
            "data.fraction": cell.fraction,
            "training.seed": cell.seed,
            "training.device": settings.device,
        }
        if settings.kimg is not None:
            changes["training.kimg"] = settings.kimg
        config = configs.preset(name, changes)
        stored = runs.stored_config(path)
        if stored is not None:
            config = configs.replace(config, {"data.path": stored.data.path, "training.device": stored.training.device})
            if changed := configs.differences(stored, config):
                theirs = "; ".join(changed[:2])
                raise UserError(
                    f"{path} was trained with other settings than this study's (theirs / yours: {theirs}); choose another "
                    "--out, or the same settings."
                )
            newest = checkpoint.latest(path / "checkpoints")
            wanted = runs.images_of(config)
            if newest is not None and checkpoint.read_values(newest)["images"] >= wanted:
                sources.check_run(path, cell.data, cell.split)
                continue
        say(f"training {name}, {_cell_name(cell)}")
        runs.train(config, path, resume=True, say=say, on_step=on_step)


def _task(settings: Settings, out: Path, cell: _Cell, arm: Arm, recipe: classifiers.Recipe) -> Task:
    name = recipe.network + ("-tuned" if recipe.weights else "")
    return Task(
        result=out / "arms" / _cell_name(cell) / name / f"{arm.name}.json",
        data=(settings.data, settings.size, cell.seed),
        seed=cell.seed,
        fraction=cell.fraction,
        rare=tuple(cell.rare),
        arm=arm,
        recipe=recipe,
        pool=None if arm.generator is None else _pools(out, cell) / arm.generator,
        source=None,
        fingerprint=cell.data.fingerprint,
        split=_split_hash(cell),
        weights=_file_hash(recipe.weights) if recipe.weights else None,
        threads=max(1, cores() // settings.jobs),
    )


def _split_hash(cell: _Cell) -> str:
    """Hex SHA-256 of the files and lesions of the training and the test part."""
    digest = hashlib.sha256()
    for rows in (cell.split.train, cell.split.test):
        digest.update(json.dumps([cell.data.files[rows].tolist(), cell.data.groups[rows].tolist()]).encode())
    return digest.hexdigest()


@cache
def _file_hash(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_sources(tasks: Sequence[Task], cell: _Cell, settings: Settings, out: Path, say: Say) -> Iterator[Task]:
    """The tasks with their sources' hashes; pools are made where an arm still needs them."""
    hashes: dict[str, str] = {}
    names = list(dict.fromkeys(task.arm.generator for task in tasks if task.arm.generator))
    judge: Callable[[Pool], tuple[np.ndarray, np.ndarray]] | None = None
    for name in names:
        note = out / "arms" / _cell_name(cell) / f"{name}.json"
        own = [task for task in tasks if task.arm.generator == name]
        missing = any(work.finished(task) is None for task in own)
        if not missing and note.exists() and _still(name, cell, out, json.loads(note.read_text())):
            hashes[name] = json.loads(note.read_text())["sha256"]
            continue
        say(f"images by {name}, {_cell_name(cell)}")
        pool = _make_pool(name, cell, out)
        data, test = cell.data, cell.split.test
        labels = pool.labels
        leaks.refuse_copies(
            pool.images,
            [f"{data.classes[c]} number {i}" for i, c in enumerate(labels)],
            data.images[test],
            data.files[test].tolist(),
            f"the image by {name},",
        )
        stem = _pools(out, cell) / name
        sources.save(pool, stem)
        if {"agreed", "dense"} & set(settings.uses):
            judge = judge or _filters(cell, settings, say)
            for what, values in zip(("agree", "density"), judge(pool), strict=True):
                np.save(stem.with_name(f"{name}-{what}.npy"), values)
        _picture(pool, cell, out, name)
        note.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_atomically(note, (json.dumps(pool.about, indent=1) + "\n").encode())
        hashes[name] = pool.about["sha256"]
    for task in tasks:
        yield task if task.arm.generator is None else replace(task, source=hashes[task.arm.generator])


def _still(name: str, cell: _Cell, out: Path, note: dict[str, Any]) -> bool:
    """Whether a run's newest checkpoint is the one that a finished arm's images came from."""
    if name == GAUSSIAN:
        return True
    if name in cell.folders:
        return False
    return load(_run_path(out, cell, name)).checkpoint_hash == note["sha256"]


def _make_pool(name: str, cell: _Cell, out: Path) -> Pool:
    data = cell.data
    counts = np.bincount(data.labels[cell.split.train], minlength=len(data.classes))
    sizes = plans.pool_sizes(counts, cell.rare)
    if name == GAUSSIAN:
        return sources.from_gaussian(sizes, data, cell.split, cell.seed)
    if name in cell.folders:
        return sources.from_folder(name, cell.folders[name], sizes, data, cell.rare)
    return sources.from_run(name, _run_path(out, cell, name), sizes, data, cell.split, cell.seed)


def _filters(cell: _Cell, settings: Settings, say: Say) -> Callable[[Pool], tuple[np.ndarray, np.ndarray]]:
    """What judges single generated images, from training images only: agreement of a classifier, and density."""
    data, steps = cell.data, settings.steps or classifiers.RECIPES["small"].steps
    say(f"training the classifier that filters, {_cell_name(cell)}")
    network = work.filter_classifier(data, cell.split, cell.seed, steps)
    view = [v for v in views_of(data, cell.split, say) if v.name == "derm"]
    train = cell.split.train
    real, labels = extract(view, np.asarray(data.images[train]))["derm"], data.labels[train]

    def judge(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
        agree = classifiers.probabilities(network, pool.images).argmax(1) == pool.labels
        features = extract(view, np.asarray(pool.images))["derm"]
        density = np.zeros(len(pool.labels))
        for c in np.unique(pool.labels):
            mine = pool.labels == c
            density[mine] = manifold.depth(real[labels == c], features[mine])
        return agree, density

    return judge


def _picture(pool: Pool, cell: _Cell, out: Path, name: str, columns: int = 12) -> None:
    """The first images of each class, for the page."""
    rows = []
    for c, title in enumerate(cell.data.classes):
        mine = np.flatnonzero(pool.labels == c)[:columns]
        if len(mine):
            rows.append((title, np.asarray(pool.images[mine])))
    folder = out / "pictures"
    folder.mkdir(exist_ok=True)
    write_png(folder / f"{name}-{_cell_name(cell)}.png", labelled_rows(rows))


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


def _sources_about(cells: Sequence[_Cell], names: Sequence[str], out: Path) -> list[dict[str, Any]]:
    """What is known of each cell's sources of images."""
    found = []
    for cell in cells:
        for path in (out / "arms" / _cell_name(cell) / f"{name}.json" for name in names):
            found.append({"seed": cell.seed, "fraction": cell.fraction, **json.loads(path.read_text())})
    return found
