import numpy as np
import pytest

from hqgan.experiments.statistics import (
    Estimate,
    holm,
    interval,
    mean_of_known,
    no_verdict,
    p_value,
    relation,
    wilcoxon,
)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_value_never_reaches_zero():
    assert p_value(np.ones(99)) == pytest.approx(0.02)
    assert p_value(np.array([-1.0, 1.0] * 50)) == 1.0


def test_an_interval_leaves_out_what_is_not_known_and_keeps_to_its_bounds():
    draws = np.array([np.nan, *np.linspace(-3, 3, 101)])
    assert interval(draws) == pytest.approx((-2.85, 2.85))
    assert interval(draws, (-1.0, 1.0)) == (-1.0, 1.0)
    assert np.isnan(interval(np.full(3, np.nan))).all()


def test_wilcoxon_needs_two_seeds_and_a_difference():
    assert wilcoxon(np.arange(1.0, 9)) == pytest.approx(2 / 2**8)
    assert wilcoxon(np.array([0.3])) is None
    assert wilcoxon(np.zeros(4)) is None


def test_words():
    assert relation(-0.1, 0.01, "is worse than", "is better than") == "is worse than"
    assert relation(0.1, 0.01, "is worse than", "is better than") == "is better than"
    assert relation(0.1, 0.2, "is worse than", "is better than") == "shows no significant difference from"
    assert no_verdict(8) == ([], "")
    assert no_verdict(3)[0][0].startswith("No verdict: that takes 8 seeds, and this is 3.")
    assert Estimate(0.614, 0.5, 0.75).text(".2f") == "0.61 [0.50, 0.75]"
    assert mean_of_known([None, 1.0, 2.0]) == 1.5
    assert mean_of_known([None]) is None
