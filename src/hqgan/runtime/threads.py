"""Keeping linear algebra to one thread."""

from __future__ import annotations

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
