import numpy as np
import pytest

from hqgan.experiments.statistics import interval, p_value
from hqgan.experiments.study.summary import Answers, resampled


def answers(rng, seeds, skill, effect=0.0, lesions=60, classes=3):
    """Two arms' answers: the second right more often by `effect`; seeds differ; each lesion has two images."""
    out = []
    for _ in range(seeds):
        labels = np.repeat(np.arange(classes), 2 * lesions)
        groups = np.repeat(np.arange(classes * lesions), 2).astype(str)
        easy = np.repeat(rng.random(classes * lesions), 2) * 0.5
        base = skill + rng.normal(0, 0.02)
        right = [rng.random(len(labels)) < base + easy - 0.25 + shift for shift in (0, effect + rng.normal(0, 0.01))]
        out.append(Answers(labels, groups, np.stack(right, 1)))
    return out


def test_draws_lie_about_the_mean_recall():
    found = answers(np.random.default_rng(0), 4, 0.6)
    _, recalls = resampled(found, 3, 0, draws=2000)
    assert recalls.shape == (2000, 2, 3)
    truth = np.mean([[one.right[one.labels == c].mean(0) for c in range(3)] for one in found], 0).T
    assert recalls.mean(0) == pytest.approx(truth, abs=0.01)


def test_spread_agrees_with_a_plain_loop():
    rng = np.random.default_rng(1)
    found = answers(rng, 3, 0.6, lesions=25)
    fast, _ = resampled(found, 3, 0, draws=3000)
    slow = []
    for _ in range(1500):
        # The lesions of a class once for all seeds, since seeds test the same ones.
        drawn = [
            rng.choice(lesions, len(lesions))
            for lesions in (np.unique(found[0].groups[found[0].labels == c]) for c in range(3))
        ]
        values = []
        for s in rng.integers(3, size=3):
            one = found[s]
            rows = [np.concatenate([np.flatnonzero(one.groups == g) for g in of_class]) for of_class in drawn]
            values.append(np.mean([one.right[r].mean(0) for r in rows], 0))
        slow.append(np.mean(values, 0))
    plain = np.std(slow, 0) * np.sqrt(3 / 2)
    assert fast.std(0) == pytest.approx(plain, rel=0.1)
    # Paired: the difference spreads less than two arms would that were tested on lesions of their own.
    difference = fast[:, 1] - fast[:, 0]
    assert difference.std() < 0.9 * np.hypot(*fast.std(0))


def test_an_effect_is_found_and_none_is_not_invented():
    rng = np.random.default_rng(2)
    low = []
    for _ in range(60):
        draws, _ = resampled(answers(rng, 8, 0.6, lesions=30), 3, 0, draws=300)
        low.append(p_value(draws[:, 1] - draws[:, 0]) < 0.05)
    assert np.mean(low) < 0.15
    draws, _ = resampled(answers(rng, 8, 0.6, effect=0.15), 3, 0, draws=1000)
    assert p_value(draws[:, 1] - draws[:, 0]) < 0.01
    assert interval(draws[:, 1] - draws[:, 0])[0] > 0


def test_a_class_that_one_seed_does_not_test_is_known_from_the_others():
    rng = np.random.default_rng(5)
    found = answers(rng, 3, 0.6, lesions=20)
    without = found[2].labels != 2
    found[2] = Answers(found[2].labels[without], found[2].groups[without], found[2].right[without])
    balanced, recalls = resampled(found, 3, 0, draws=500)
    assert not np.isnan(balanced).any()
    by_seed = [np.mean([one.right[one.labels == c].mean(0) for c in np.unique(one.labels)], 0) for one in found]
    assert balanced.mean(0) == pytest.approx(np.mean(by_seed, 0), abs=0.02)
    low, high = interval(recalls[:, 0, 2])
    assert low < np.mean([one.right[one.labels == 2, 0].mean() for one in found[:2]]) < high


def test_intervals_hold_where_seeds_part_the_same_lesions():
    """Coverage of 95 % intervals of an arm's mean over re-splits of one data set, for new lesions."""
    rng = np.random.default_rng(6)
    inside = 0
    for _ in range(60):
        easy = rng.random(80)
        found = []
        for _ in range(12):
            tested = rng.choice(80, 20, replace=False)
            right = rng.random((20, 1)) < easy[tested, None]
            found.append(Answers(np.zeros(20, int), tested.astype(str), right))
        low, high = interval(resampled(found, 1, 0, draws=300)[0][:, 0])
        inside += low <= 0.5 <= high
    assert inside >= 52
