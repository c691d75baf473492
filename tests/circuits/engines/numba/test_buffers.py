from __future__ import annotations

import numpy as np

from hqgan.circuits.engines.numba.engine import buffer

F8 = np.dtype(np.float64)


def test_memory_is_handed_on_but_never_shared() -> None:
    one, other = buffer((3, 5), F8), buffer((3, 5), F8)
    assert not np.shares_memory(one, other)
    place = one.ctypes.data
    assert place % 64 == 0
    del one
    again = buffer((15,), F8)
    assert again.ctypes.data == place
    assert not np.shares_memory(again, other)


def test_nothing_in_an_empty_buffer() -> None:
    assert buffer((0, 4), F8).shape == (0, 4)
