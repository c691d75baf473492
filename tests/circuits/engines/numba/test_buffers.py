from __future__ import annotations

import numpy as np

from hqgan.circuits.engines.numba.buffers import Buffer

F8 = np.dtype(np.float64)


def test_memory_is_handed_on_but_never_shared() -> None:
    one, other = Buffer((3, 5), F8), Buffer((3, 5), F8)
    assert not np.shares_memory(one.array, other.array)
    place = one.array.ctypes.data
    assert place % 64 == 0
    del one
    again = Buffer((15,), F8)
    assert again.array.ctypes.data == place
    assert not np.shares_memory(again.array, other.array)


def test_nothing_in_an_empty_buffer() -> None:
    assert Buffer((0, 4), F8).array.shape == (0, 4)
