"""From the classifiers' answers to a study's result: means, intervals, p-values, and sentences that can be stood behind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hqgan.errors import UserError
from hqgan.experiments.study import bootstrap
from hqgan.experiments.study.arms import Arm, balance
from hqgan.experiments.study.bootstrap import Answers
from hqgan.experiments.study.classifiers import Recipe
from hqgan.experiments.study.work import Task
from hqgan.types import UNCOVERED, ImageData, Split
from hqgan.wording import listed, plural

VERDICT = 8
"""Seeds below which nothing is called a verdict (a Wilcoxon test of five pairs cannot go below 0.06)."""

LEVEL = 0.05

Result = dict[str, Any]


def summarise(
    results: Sequence[tuple[Task, Result]],
    parts: Mapping[tuple[int, float], tuple[ImageData, Split]],
    arms: Sequence[Arm],
    recipes: Mapping[str, Recipe],
    generators: Sequence[Result],
    seed: int = 0,
) -> Result:
    """A study's result.

    Args:
        results: every task with what `work.run` wrote.
        parts: data and split by seed and fraction.
        arms: in order.
        recipes: classifiers by name.
        generators: what is known of each source of images, seed and fraction.
        seed: of the bootstrap.

    Returns:
        ``data``, ``rare``, ``generators``, ``best_classical`` and ``arms``, ``pairs`` (generator against generator) and
        ``sentences``. An arm's row has ``balanced_accuracy`` by seed, ``mean``, ``low`` and ``high`` (95 %, paired
        hierarchical bootstrap), and p-values corrected by Holm's method for the number of arms of its classifier and fraction.
    """
    rows: list[Result] = []
    pairs: list[Result] = []
    best: list[Result] = []
    sentences: list[str] = []
    fractions = list(dict.fromkeys(task.fraction for task, _ in results))
    for fraction in fractions:
        for name, recipe in recipes.items():
            family = [(t, r) for t, r in results if t.fraction == fraction and t.recipe == recipe]
            found = _family(family, parts, arms, seed)
            where = {"classifier": name, "fraction": fraction}
            rows += [{**where, **row} for row in found["arms"]]
            pairs += [{**where, **pair} for pair in found["pairs"]]
            best.append({**where, "steps": recipe.steps, "name": found["best"]})
            more = len(fractions) * len(recipes) > 1
            prefix = f"{name}, {fraction:.0%} of the training part: " if more else ""
            sentences += [prefix + text for text in found["sentences"]]
    data, some = parts[results[0][0].seed, fractions[0]]
    counts = np.bincount(data.labels[some.train], minlength=len(data.classes))
    return {
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "licence": data.licence,
            "classes": list(data.classes),
            "training_images": counts.tolist(),
            "test_images": np.bincount(data.labels[some.test], minlength=len(data.classes)).tolist(),
            "balance": balance(counts),
        },
        "rare": [data.classes[c] for c in results[0][0].rare],
        "generators": _generators(generators),
        "best_classical": best,
        "arms": rows,
        "pairs": pairs,
        "sentences": sentences,
    }


def answers_of(task: Task, result: Result) -> np.ndarray:
    """The probabilities (N, C) that a classifier gave on the test part.

    Raises:
        UserError: the file is missing or not the one that its JSON was written with.
    """
    path = task.result.with_suffix(".npy")
    try:
        answers = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); remove {task.result.name} beside it to do that arm again."
        ) from error
    if hashlib.sha256(answers.tobytes()).hexdigest() != result["probabilities_sha256"]:
        raise UserError(f"{path} is not what {task.result.name} was written with; remove both to do that arm again.")
    return answers


def _family(
    results: Sequence[tuple[Task, Result]],
    parts: Mapping[tuple[int, float], tuple[ImageData, Split]],
    arms: Sequence[Arm],
    seed: int,
) -> Result:
    """The arms of one classifier at one fraction."""
    seeds = list(dict.fromkeys(task.seed for task, _ in results))
    by_arm = {arm: [next(p for p in results if p[0].arm == arm and p[0].seed == s) for s in seeds] for arm in arms}
    answers = []
    classes = parts[seeds[0], results[0][0].fraction][0].classes
    for place, s in enumerate(seeds):
        data, split = parts[s, results[0][0].fraction]
        test = split.test
        labels = data.labels[test]
        said = [answers_of(*by_arm[arm][place]).argmax(1) for arm in arms]
        answers.append(Answers(labels, data.groups[test], np.stack([a == labels for a in said], 1)))
    accuracy, recalls = bootstrap.resampled(answers, len(classes), seed)
    means = np.array([np.mean([r["balanced_accuracy"] for _, r in by_arm[arm]]) for arm in arms])
    classical = [i for i, arm in enumerate(arms) if arm.generator is None]
    best = max(classical, key=lambda i: means[i])
    rows = []
    for i, arm in enumerate(arms):
        own = [r for _, r in by_arm[arm]]
        low, high = bootstrap.interval(accuracy[:, i])
        rows.append(
            {
                "name": arm.name,
                "text": arm.text,
                "use": arm.use,
                "generator": arm.generator,
                "ratio": arm.ratio if arm.generator else None,
                "seeds": seeds,
                "balanced_accuracy": [r["balanced_accuracy"] for r in own],
                "mean": float(means[i]),
                "low": low,
                "high": high,
                **{k: float(np.mean([r[k] for r in own])) for k in ("accuracy", "auroc", "calibration_error")},
                "recall": {name: _recall(own, name, recalls[:, i, c]) for c, name in enumerate(classes)},
                "f1": {name: _mean([r["f1"][name] for r in own]) for name in classes},
                "generated": _mean_counts([r["generated"] for r in own]),
            }
        )
    for key, reference in (("real_only", arms.index(Arm("real"))), ("best_classical", best)):
        others = [i for i in range(len(arms)) if i != reference]
        corrected = bootstrap.holm([bootstrap.p_value(accuracy[:, i] - accuracy[:, reference]) for i in others])
        for i, row in enumerate(rows):
            difference = accuracy[:, i] - accuracy[:, reference]
            low, high = bootstrap.interval(difference)
            row[f"p_value_against_{key}"] = corrected[others.index(i)] if i in others else None
            row[f"difference_from_{key}"] = {"mean": float(means[i] - means[reference]), "low": low, "high": high}
    pairs = _pairs(arms, accuracy, means)
    return {
        "arms": rows,
        "best": arms[best].name,
        "pairs": pairs,
        "sentences": _sentences(rows, rows[best], pairs, len(seeds)),
    }


def _pairs(arms: Sequence[Arm], accuracy: np.ndarray, means: np.ndarray) -> list[Result]:
    """Every generator against every other, over the uses that both have."""
    names = list(dict.fromkeys(arm.generator for arm in arms if arm.generator))
    found: list[Result] = []
    for n, a in enumerate(names):
        for b in names[n + 1 :]:
            both = [(i, j) for i, x in enumerate(arms) for j, y in enumerate(arms)
                    if (x.generator, y.generator) == (a, b) and (x.use, x.ratio) == (y.use, y.ratio)]  # fmt: skip
            left, right = [i for i, _ in both], [j for _, j in both]
            draws = accuracy[:, left].mean(1) - accuracy[:, right].mean(1)
            low, high = bootstrap.interval(draws)
            found.append(
                {
                    "generator": a,
                    "against": b,
                    "uses": len(both),
                    "mean": float(means[left].mean() - means[right].mean()),
                    "low": low,
                    "high": high,
                    "p_value": bootstrap.p_value(draws),
                }
            )
    for pair, p in zip(found, bootstrap.holm([float(f["p_value"]) for f in found]), strict=True):
        pair["p_value"] = p
    return found


def _sentences(rows: Sequence[Result], best: Result, pairs: Sequence[Result], seeds: int) -> list[str]:
    """What a careful reader may take from the numbers."""
    made = [row for row in rows if row["generator"]]
    out, so_far = [], ""
    if seeds < VERDICT:
        so_far = "So far, "
        out.append(
            f"No verdict: that takes {VERDICT} seeds, and this is {seeds}. What follows says where to look, not what is so."
        )
    if made:
        better = [r for r in made if r["mean"] > best["mean"] and r["p_value_against_best_classical"] < LEVEL]
        worse = [r for r in made if r["mean"] < best["mean"] and r["p_value_against_best_classical"] < LEVEL]
        nearest = max(made, key=lambda r: r["mean"])
        apart = nearest["difference_from_best_classical"]
        head = (
            f"{len(better)} of {len(made)} arms with generated images stand above the best classical arm ({best['name']}, "
            f"balanced accuracy {best['mean']:.3f}, chosen on these test images, which favours it) and {len(worse)} below it "
            f"(p < {LEVEL} after correction)"
        )
        out.append(
            f"{so_far}{head}; the highest is {nearest['name']} with {nearest['mean']:.3f}, a difference of {apart['mean']:+.3f} "
            f"[{apart['low']:+.3f}, {apart['high']:+.3f}], p = {nearest['p_value_against_best_classical']:.2g}."
        )
    helped = [r["name"] for r in rows if (r["p_value_against_real_only"] or 1) < LEVEL
              and r["difference_from_real_only"]["mean"] > 0 and r["generator"] is None]  # fmt: skip
    if helped:
        verb = "stands" if len(helped) == 1 else "stand"
        out.append(f"{so_far}{listed(helped)}, without any generated image, {verb} above real images alone.")
    for pair in pairs:
        apart = f"{pair['mean']:+.3f} [{pair['low']:+.3f}, {pair['high']:+.3f}], p = {pair['p_value']:.2g}"
        side = "stands above" if pair["mean"] > 0 else "stands below"
        verb = side if pair["p_value"] < LEVEL else "cannot be told from"
        out.append(
            f"{so_far}{pair['generator']} {verb} {pair['against']} over {plural(pair['uses'], 'use')} alike: {apart}."
        )
    return out


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _recall(results: Sequence[Result], name: str, draws: np.ndarray) -> dict[str, float | None]:
    mean = _mean([r["recall"][name] for r in results])
    low, high = bootstrap.interval(draws) if mean is not None else (None, None)
    return {"low": low, "high": high, "mean": mean}


def _mean_counts(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    names = list(dict.fromkeys(name for one in counts for name in one))
    return {name: float(np.mean([one.get(name, 0) for one in counts])) for name in names}


def _generators(found: Sequence[Result]) -> list[Result]:
    """One row a source: what it took, and whether every seed's is known to have seen training images only."""
    out = []
    for name in dict.fromkeys(f["name"] for f in found):
        own = [f for f in found if f["name"] == name]
        out.append(
            {
                "name": name,
                "parameters": own[0]["parameters"],
                "epochs": own[0]["epochs"],
                "images_shown": own[0]["images_shown"],
                "verified": all(f["verified"] for f in own),
                "private": any(f.get("private") for f in own),
                "sha256": {f"seed {f['seed']}, {f['fraction']:.0%}": f["sha256"] for f in own},
            }
        )
    return out


def table(result: Result) -> list[Any]:
    """Rich tables of a study, and its sentences."""
    from rich.table import Table

    rare = result["rare"]
    out: list[Any] = []
    for place in result["best_classical"]:
        rows = [r for r in result["arms"] if all(r[k] == place[k] for k in ("classifier", "fraction"))]
        title = f"{place['classifier']} on {result['data']['name']}"
        if place["fraction"] != 1:
            title += f", {place['fraction']:.0%} of the training part"
        arms = Table(
            title=title,
            caption="brackets: 95 % by paired hierarchical bootstrap; p corrected for the number of arms (Holm)",
        )
        arms.add_column("arm", no_wrap=True)
        for name in (
            "balanced accuracy",
            "interval",
            "accuracy",
            *(f"recall {c}" for c in rare),
            "p: real only",
            f"p: {place['name']}",
        ):
            arms.add_column(name, justify="right")
        for r in rows:
            p = [r[f"p_value_against_{key}"] for key in ("real_only", "best_classical")]
            arms.add_row(
                r["name"],
                f"{r['mean']:.3f}",
                rf"\[{r['low']:.3f}, {r['high']:.3f}]",
                f"{r['accuracy']:.3f}",
                *(_shown(r["recall"][c]["mean"]) for c in rare),
                *("" if value is None else f"{value:.2g}" for value in p),
            )
        out.append(arms)
    uncovered = [UNCOVERED] if any(g.get("private") for g in result["generators"]) else []
    return [*out, *result["sentences"], *uncovered]
