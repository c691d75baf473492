"""Batches as a pure function of seed and step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.data import BatchSampler, augment_dihedral, dihedral_ways

LABELS = np.repeat([0, 1, 2], [30, 7, 3])


@pytest.mark.parametrize("balanced", [False, True])
@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.integers(0, 2000), min_size=1, max_size=8), seed=st.integers(0, 100))
def test_a_step_does_not_depend_on_those_before(balanced: bool, steps: list[int], seed: int) -> None:
    sampler = BatchSampler(LABELS, 8, seed, balanced)
    for step in steps:
        indices = sampler.batch(step)
        assert indices.shape == (8,)
        assert indices.dtype == np.int64
        assert (indices == BatchSampler(LABELS, 8, seed, balanced).batch(step)).all()


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 50), batch=st.integers(1, 60), seed=st.integers(0, 100))
def test_an_epoch_shows_each_image_once(count: int, batch: int, seed: int) -> None:
    sampler = BatchSampler(np.zeros(count, int), batch, seed)
    stream = np.concatenate([sampler.batch(step) for step in range(-(-3 * count // batch))])
    for epoch in range(3):
        assert sorted(stream[epoch * count : (epoch + 1) * count].tolist()) == list(range(count))


def test_balanced_shows_classes_equally_and_their_images_in_turn() -> None:
    sampler = BatchSampler(LABELS, 10, 4, balanced=True)
    stream = np.concatenate([sampler.batch(step) for step in range(63)])
    assert np.bincount(LABELS[stream]).tolist() == [210, 210, 210]
    for label, count in enumerate([30, 7, 3]):
        members = np.flatnonzero(label == LABELS)
        rounds = np.sort(stream[LABELS[stream] == label].reshape(-1, count), axis=1)
        assert (rounds == members).all()


def test_epochs_seeds_and_modes_differ() -> None:
    sampler = BatchSampler(LABELS, 40, 0)
    assert (sampler.batch(0) != sampler.batch(1)).any()
    assert (sampler.batch(0) != BatchSampler(LABELS, 40, 1).batch(0)).any()


def test_labels_need_not_be_consecutive() -> None:
    labels = np.array([5, 5, 9])
    assert set(BatchSampler(labels, 4, 0, balanced=True).batch(0).tolist()) <= {0, 1, 2}


def test_nothing_to_draw_from() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        BatchSampler(np.array([], int), 4, 0)


def test_dihedral_gives_all_eight_and_leaves_its_input() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    images = image.repeat(200, 0)
    turned = augment_dihedral(images, dihedral_ways(len(images), np.random.default_rng(0)))
    assert turned.dtype == np.uint8
    assert (images == image).all()
    seen = {one.tobytes() for one in turned}
    expected = {np.rot90(side, k).tobytes() for side in (image[0], image[0][:, ::-1]) for k in range(4)}
    assert seen == expected
    assert (turned == augment_dihedral(images, dihedral_ways(len(images), np.random.default_rng(0)))).all()


def test_dihedral_takes_a_read_only_map() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images.flags.writeable = False
    assert augment_dihedral(images, dihedral_ways(len(images), np.random.default_rng(0))).flags.writeable
