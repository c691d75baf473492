import numpy as np
import pytest
from synthetic import data_of, lesions

from hqgan.metrics.extractors.fitted import load_extractors


@pytest.fixture(scope="session")
def train_set():
    return lesions((330, 220, 50), seed=1)


@pytest.fixture(scope="session")
def held_out():
    return lesions((170, 120, 12), seed=2)


@pytest.fixture(scope="session")
def views_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="session")
def views(train_set, views_cache):
    return load_extractors(data_of(*train_set, "made up"), np.arange(len(train_set)), views_cache)
