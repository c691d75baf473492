"""Intervals and paired tests over seeds."""

import numpy as np
import pytest
from scipy import stats

from hqgan.compare import paired


def results(distances, spread=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [{"distance": d, "halves": (d + spread * rng.standard_normal(100)).tolist()} for d in distances]


def test_draws_spread_as_a_mean_over_seeds_does():
    values = np.random.default_rng(1).normal(0.5, 0.2, 12)
    drawn = paired.draws(values, np.tile(values[:, None], 100), 0)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.01)
    # The interval is Student's.
    low, high = stats.t.interval(0.95, 11, values.mean(), values.std(ddof=1) / np.sqrt(12))
    assert paired.interval(drawn) == pytest.approx((low, high), rel=0.05)


def test_what_all_seeds_share_is_known_from_their_lesions_alone():
    drawn = paired.draws(np.full(6, 0.5), np.full((6, 100), 0.5), 0)
    assert np.ptp(drawn) == 0
    within = paired.draws(np.full(6, 0.5), np.array([r["halves"] for r in results([0.5] * 6, 0.3)]), 0)
    assert within.std() == pytest.approx(0.3 / np.sqrt(6), rel=0.1)


def test_one_seed_speaks_of_its_lesions():
    found = paired.mean_of(results([0.7], 0.05))
    assert found["low"] == pytest.approx(0.7 - 1.96 * 0.05, abs=0.03)
    assert found["high"] == pytest.approx(0.7 + 1.96 * 0.05, abs=0.03)


def test_a_difference_is_paired_by_seed():
    base = np.random.default_rng(2).normal(1.0, 0.5, 8)
    own, other = results((base - 0.05).tolist()), results(base.tolist())
    found = paired.difference(own, other)
    assert found["mean"] == pytest.approx(-0.05)
    assert found["high"] < 0
    assert found["p_value"] < 0.01
    assert (found["nearer"], found["seeds"]) == (8, 8)
    assert found["wilcoxon"] == pytest.approx(2 / 2**8)
    assert paired.difference(other, own)["mean"] == pytest.approx(0.05)


@pytest.mark.parametrize("seeds", [3, 8])
def test_the_bootstrap_holds_its_level(seeds):
    rng = np.random.default_rng(3)
    rejected = 0
    for _ in range(200):
        differences = rng.normal(0, 0.1, seeds)
        found = paired.difference(results(differences.tolist(), 0.02), results([0.0] * seeds))
        rejected += found["p_value"] < 0.05
    assert rejected <= stats.binom.ppf(0.999, 200, 0.05)


def test_without_a_distance_there_is_no_difference():
    assert paired.difference([{"distance": None, "halves": None}], results([0.1])) is None
    assert paired.mean_of([{"distance": None, "halves": None}])["mean"] is None
