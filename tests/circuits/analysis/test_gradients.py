from __future__ import annotations

import pytest

from hqgan.circuits.analysis.gradients import gradient_variance
from hqgan.circuits.ansatz import Ansatz
from hqgan.errors import UserError


def test_gradients_vanish_with_width_only_where_circuits_are_deep_and_random() -> None:
    deep = [gradient_variance(Ansatz(n, 12), samples=200) for n in (2, 8)]
    assert deep[1] < deep[0] / 8
    calm = [gradient_variance(Ansatz(n, 12), samples=200, spread=0.1) for n in (2, 8)]
    assert calm[1] > calm[0] / 4


def test_variance_of_one_gate_is_known() -> None:
    # <X> of RY(w) RY(x)|0> is sin(x + w), its slope cos(x + w), with mean square 1/2.
    ansatz = Ansatz(1, 1, encoding=("ry",))
    assert gradient_variance(ansatz, samples=20_000) == pytest.approx(0.5, abs=0.02)


def test_a_circuit_without_weights_is_one_sentence() -> None:
    with pytest.raises(UserError, match="0 layers has no weights"):
        gradient_variance(Ansatz(2, 0))
