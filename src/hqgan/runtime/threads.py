"""How many threads work: the cores of this process, and linear algebra on one thread."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager


def one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread while this is open.

    The matrices here are small: threads bring little, on a busy machine they cost a hundred times what they bring; and on
    one thread the last digits do not depend on the number of cores.
    """
    # SciPy brings a BLAS of its own, and only what is loaded by now is limited.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def cores() -> int:
    """Cores that this process may run on; in a container or under taskset these are not all of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers() -> int:
    """Threads for reading and decoding files: Pillow and hashlib release the interpreter's lock meanwhile."""
    return min(8, cores())
