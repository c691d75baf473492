from __future__ import annotations

import pytest
import torch

from hqgan.circuits.ansatz import Ansatz, Pairs, chain, ring
from hqgan.circuits.engines.numba.branches import MOST, split_of
from hqgan.circuits.engines.plan import make_plan

CPU = torch.device("cpu")


@pytest.mark.parametrize("pairs", [chain(6), ring(6), ((0, 5), (1, 4), (4, 1), (2, 0)), ((0, 1), (4, 5))])
def test_branches_add_up_to_a_layer_of_czs(pairs: Pairs) -> None:
    plan = make_plan(Ansatz(6, 3, pairs=pairs), torch.float64, CPU)
    masks = split_of(plan, 3, range(1, 9)).masks
    assert masks is not None
    assert plan.signs is not None
    upper, lower = masks
    torch.testing.assert_close(torch.einsum("bi,bj->ij", upper, lower).flatten(), plan.signs)


def test_layers_are_taken_while_branches_are_few() -> None:
    def layers(pairs: Pairs, count: int = 6, **options: object) -> int:
        plan = make_plan(Ansatz(6, count, pairs=pairs, **options), torch.float64, CPU)  # type: ignore[arg-type]
        return split_of(plan, 3, range(1, 9)).layers

    assert MOST == 16
    assert layers(chain(6)) == 5  # one CZ crosses: 2, 4, 8, 16 branches
    assert layers(ring(6)) == 3  # two do: 4, 16
    assert layers(((0, 1), (4, 5))) == 6  # none does: all layers
    assert layers(chain(6), 2) == 2
    assert layers(chain(6), entangler="cnot") == 1
    assert layers(chain(6), rotations=("rz",)) == 1
    plan = make_plan(Ansatz(6, 6), torch.float64, CPU)
    assert split_of(plan, 3, range(4, 9)).layers == 1  # halves too small for the kernels
