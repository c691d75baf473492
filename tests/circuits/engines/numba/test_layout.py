"""The figures of LAYOUT.md."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hqgan.circuits.ansatz import Ansatz, paper_ansatz
from hqgan.circuits.engines.numba.layout import row_address, row_of, stride
from hqgan.circuits.engines.numba.simd import BYTES
from hqgan.circuits.engines.numba.tables import tables_of
from hqgan.circuits.engines.plan import make_plan

CPU = torch.device("cpu")


@pytest.mark.skipif(BYTES != 64, reason="the picture is of registers of 64 bytes")
def test_the_papers_circuit_lies_in_memory_as_the_picture_shows() -> None:
    tables = tables_of(make_plan(paper_ansatz(), torch.float32, CPU))
    assert tables.circuit.layout == (4, 12, 8)
    assert (tables.lanes, tables.rows, tables.planes) == (16, 4136, 2)
    assert tables.circuit.bits == (8, 8)
    assert len(tables.circuit.patterns) <= 32
    assert [row_address(row, 8) // BYTES for row in (0, 1, 255, 256, 4095)] == [0, 1, 255, 257, 4110]
    mixed = tables_of(make_plan(Ansatz(16, 1, rotations=("rz", "ry")), torch.float32, CPU))
    assert (mixed.circuit.layout.lane_bits, mixed.circuit.width, mixed.planes) == (3, 8, 1)


@pytest.mark.parametrize("low", [2, 8])
def test_rows_never_share_a_place_and_strides_lead_from_one_to_the_next(low: int) -> None:
    places = np.array([row_address(row, low) for row in range(1 << 10)])
    assert len(set(places)) == len(places)
    for bit in range(10):
        for rest in range(1 << 9):
            row, at = row_of(rest, bit, 1, low)
            assert row >> bit & 1 == 0
            assert at == places[row]
            assert at + stride(bit, low) == places[row | 1 << bit]
