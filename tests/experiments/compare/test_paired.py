"""Intervals and paired tests over seeds."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from hqgan.experiments.compare import summary

EXTRACTORS = ["derm"]


def results(distances, spread=0.0, seed=0, test=None):
    rng = np.random.default_rng(seed)
    common = spread * rng.standard_normal(100)
    return [
        SimpleNamespace(
            name="x",
            distances={"derm": d},
            halves={"derm": (d + (common if test else spread * rng.standard_normal(100))).tolist()},
            test_part=test or str(i),
        )
        for i, d in enumerate(distances)
    ]


def test_an_interval_is_students():
    values = np.random.default_rng(1).normal(0.5, 0.2, 5)
    drawn = summary.draws(values, np.tile(values[:, None], 100), shared=False)
    expected = stats.t.interval(0.95, 4, values.mean(), values.std(ddof=1) / np.sqrt(5))
    assert summary.interval(drawn) == pytest.approx(expected, rel=0.05)


def test_what_all_seeds_share_is_known_from_their_lesions_alone():
    drawn = summary.draws(np.full(6, 0.5), np.full((6, 100), 0.5), shared=False)
    assert np.ptp(drawn) == 0
    halves = np.array([r.halves["derm"] for r in results([0.5] * 6, 0.3)])
    assert summary.draws(np.full(6, 0.5), halves, shared=False).std() == pytest.approx(0.3 / np.sqrt(6), rel=0.1)


def test_lesions_that_all_seeds_share_do_not_average_out():
    shared = results([0.5] * 6, 0.3, test="one")
    found = summary.mean_of(shared, EXTRACTORS)
    assert found.high - found.low == pytest.approx(
        np.ptp(np.quantile(shared[0].halves["derm"], [0.025, 0.975])), rel=0.1
    )


def test_one_seed_speaks_of_its_lesions():
    found = summary.mean_of(results([0.7], 0.05), EXTRACTORS)
    assert found.low == pytest.approx(0.7 - 1.96 * 0.05, abs=0.03)
    assert found.high == pytest.approx(0.7 + 1.96 * 0.05, abs=0.03)


def test_a_difference_is_paired_by_seed():
    base = np.random.default_rng(2).normal(1.0, 0.5, 8)
    own, other = results((base - 0.05).tolist()), results(base.tolist())
    found = summary.difference(own, other, EXTRACTORS)
    assert found.mean == pytest.approx(-0.05)
    assert found.high < 0
    assert found.p_value < 0.01
    assert (found.nearer, found.seeds) == (8, 8)
    assert found.wilcoxon == pytest.approx(2 / 2**8)
    assert summary.difference(other, own, EXTRACTORS).mean == pytest.approx(0.05)


@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize("level", [0.05, 0.05 / 9])
def test_the_bootstrap_holds_its_level(seeds, level):
    """Also far out, where corrected p-values are."""
    rng = np.random.default_rng(3)
    nothing = results([0.0] * seeds)
    p = [
        summary.difference(results(rng.normal(0, 0.1, seeds).tolist(), 0.02), nothing, EXTRACTORS).p_value
        for _ in range(200)
    ]
    assert np.mean(np.array(p) < level) <= stats.binom.ppf(0.999, 200, level) / 200


def test_without_an_extractor_there_is_no_difference():
    assert summary.difference(results([0.1]), results([0.1]), []) is None
    assert summary.mean_of(results([0.1]), []).mean is None
