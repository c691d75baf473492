"""The quantum branch: one table of what may stand in it."""

from typing import get_args

import pytest
import torch

from hqgan.config import HybridConfig
from hqgan.models.quantum_branch import BRANCHES, QuantumSites, ansatz_of, branch_of


def test_the_table_has_a_row_for_every_branch_of_the_config():
    names = get_args(HybridConfig.model_fields["branch"].annotation)
    assert set(BRANCHES) == set(names) - {"none"}


@pytest.mark.parametrize("name", BRANCHES)
def test_every_branch_maps_features_to_a_map_at_the_sites(name):
    config = HybridConfig.model_validate({"branch": name, "circuit": {"qubits": 3, "layers": 1}})
    sites = QuantumSites(5, config)
    out = sites(torch.randn(2, 5, 4, 4), torch.randn(2, sites.noise_size))
    assert out.shape == (2, sites.channels, 4, 4)


def test_an_unknown_branch_raises():
    config = HybridConfig().model_copy(update={"branch": "unheard-of"})
    with pytest.raises(ValueError, match="unknown branch 'unheard-of'"):
        branch_of(config, ansatz_of(config.circuit))
