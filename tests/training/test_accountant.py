"""Epsilon is what opacus's accountant says, step by step."""

import sys

import pytest

from hqgan.errors import UserError
from hqgan.training.accountant import plan, spent

accountants = pytest.importorskip("opacus.accountants")


def test_epsilon_agrees_with_opacus_fed_step_by_step():
    theirs = accountants.RDPAccountant()
    for step in range(1, 301):
        theirs.step(noise_multiplier=1.1, sample_rate=0.04)
        if step in {1, 10, 300}:
            assert spent(1.1, 0.04, step, 1e-5) == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-12)


@pytest.mark.parametrize(("epsilon", "expected", "steps"), [(8.0, 64, 500), (1.0, 64, 500), (0.5, 16, 2000)])
def test_a_plan_spends_its_epsilon_and_no_more(epsilon, expected, steps):
    planned = plan(epsilon, 1e-5, 1.0, 2000, expected, steps)
    assert planned.sampling_rate == expected / 2000
    assert 0.9 * epsilon < planned.spent(steps) <= epsilon
    assert planned.spent(0) == 0
    assert 0 < planned.spent(1) < planned.spent(steps // 2) < planned.spent(steps)


def test_the_numerical_accountant_agrees_that_it_is_a_bound():
    planned = plan(8.0, 1e-5, 1.0, 2000, 64, 500)
    theirs = accountants.PRVAccountant()
    theirs.history = [(planned.noise_multiplier, planned.sampling_rate, planned.steps)]
    assert 0.8 * planned.spent(500) < theirs.get_epsilon(1e-5) < planned.spent(500)


def test_more_steps_than_planned_are_none_of_its():
    with pytest.raises(ValueError, match="11 critic steps are more than the 10 planned"):
        plan(8.0, 1e-5, 1.0, 2000, 64, 10).spent(11)


def test_an_epsilon_out_of_reach_is_said():
    with pytest.raises(UserError, match="finds no noise that keeps 1,000,000,000 critic steps within epsilon 0.1"):
        plan(0.1, 1e-9, 1.0, 100, 99, 10**9)


def test_without_opacus_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    monkeypatch.setitem(sys.modules, "opacus.accountants.utils", None)
    with pytest.raises(UserError, match=r"pip install 'hqgan\[privacy\]'"):
        plan(8.0, 1e-5, 1.0, 2000, 64, 10)
