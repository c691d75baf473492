"""Samples are Poisson's, and their unit is the lesion."""

import numpy as np
import pytest

from hqgan.data.sampling import PoissonSampler

GROUPS = np.array(["a", "b", "a", "c", "b", "a", "d", "e", "f", "g"])


def samples(sampler, count=4000):
    return [sampler.sample(np.random.default_rng([7, step])) for step in range(count)]


def test_each_lesion_comes_at_the_rate_whatever_the_number_of_its_images():
    sampler = PoissonSampler(GROUPS, 2)
    assert (sampler.lesions, sampler.rate) == (7, 2 / 7)
    drawn = samples(sampler)
    for lesion in np.unique(GROUPS):
        share = np.mean([lesion in GROUPS[rows] for rows in drawn])
        assert abs(share - 2 / 7) < 4 * np.sqrt(2 / 7 * 5 / 7 / len(drawn))


def test_a_lesion_brings_one_image_and_each_of_its_images_equally_often():
    drawn = samples(PoissonSampler(GROUPS, 2))
    assert all(len(set(GROUPS[rows])) == len(rows) for rows in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=len(GROUPS))[GROUPS == "a"]
    assert counts.min() > 0.85 * counts.mean()


def test_sizes_vary_as_a_binomial_does():
    sizes = np.array([len(rows) for rows in samples(PoissonSampler(np.arange(50).astype(str), 5))])
    assert abs(sizes.mean() - 5) < 0.15
    assert abs(sizes.var() - 50 * 0.1 * 0.9) < 0.4
    assert sizes.min() == 0, "some samples are empty"


def test_draws_of_two_lesions_are_independent():
    drawn = samples(PoissonSampler(GROUPS, 2))
    both = np.mean([{"a", "b"} <= set(GROUPS[rows]) for rows in drawn])
    assert abs(both - (2 / 7) ** 2) < 0.018


@pytest.mark.parametrize("expected", [0, 7])
def test_all_or_nothing_is_no_sample(expected):
    with pytest.raises(ValueError, match="lesions cannot be drawn"):
        PoissonSampler(GROUPS, expected)
