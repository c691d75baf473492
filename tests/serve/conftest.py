"""What tests of the page share: the tiny run as it is served, with and without its real images."""

import pytest

from hqgan.serve.runs import open_runs


@pytest.fixture(scope="session")
def served(tiny_run):
    """The tiny run, its procedural training images at hand."""
    return open_runs([str(tiny_run)], None, "")


@pytest.fixture(scope="session")
def asked():
    """Arguments of `views.answer` after the view: the first four images of a class."""
    return 0, ["nevus", "0", 1, 4], [0, 1, 3, 0, "statevector", 64, 0]
