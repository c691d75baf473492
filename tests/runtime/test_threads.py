import subprocess
import sys

PROGRAM = """
from threadpoolctl import threadpool_info
from hqgan.runtime.threads import one_thread
with one_thread():
    import scipy.linalg
    import sklearn.utils.extmath
    print(sorted({m["num_threads"] for m in threadpool_info() if m["user_api"] == "blas"}))
"""


def test_scipys_own_blas_is_limited_too_in_a_fresh_process():
    """Loaded inside the limit, it would run on every core, and the first bar of a process would differ from the second."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1]"
