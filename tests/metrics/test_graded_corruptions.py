import numpy as np
import pytest
from synthetic import lesions

from hqgan.metrics import graded_corruptions as plant


@pytest.mark.parametrize("name", plant.PIXELS)
def test_pixels_move_farther_with_strength(name):
    images, _ = lesions((20, 10, 5), seed=0, size=64)
    change, strengths = plant.PIXELS[name]
    spoiled = [change(images, s) for s in strengths]
    assert all(s.dtype == np.uint8 and s.shape == images.shape for s in spoiled)
    moved = [np.abs(s.astype(float) - images).mean() for s in spoiled]
    assert moved == sorted(moved)
    assert moved[0] > 0


def test_a_turned_hue_keeps_grey():
    grey = np.full((1, 4, 4, 3), 130, np.uint8)
    np.testing.assert_array_equal(plant.turn_hue(grey, 80), grey)
    red = np.zeros((1, 1, 1, 3), np.uint8) + np.array([90, 0, 0], np.uint8)
    np.testing.assert_array_equal(plant.turn_hue(red, 120)[0, 0, 0], [0, 90, 0])


def test_repeats_leave_fewer_distinct_images():
    images, _ = lesions((150, 50, 0), seed=1)
    distinct = [len(np.unique(plant.repeat(images, s, 0), axis=0)) for s in (0, *plant.REPEATS)]
    assert distinct == [200, 200, 150, 100, 50]  # a quarter of 200 is the 50 themselves


def test_swaps_keep_the_count_of_every_class():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    changed = []
    for share in (0, *plant.SWAPS):
        swapped = plant.swap_labels(labels, share, 3)
        np.testing.assert_array_equal(np.bincount(swapped), [60, 30, 10])
        changed.append((swapped != labels).sum())
    assert changed == sorted(changed)
    assert changed[0] == 0
    assert changed[-1] > 30


def test_the_largest_class_stays_and_one_is_always_left():
    assert plant.droppable(np.repeat([0, 1, 2, 3, 4], [5, 50, 9, 20, 7])) == [3, 2, 4]
    assert plant.droppable(np.repeat([0, 1], [5, 50])) == [0]
    assert plant.droppable(np.zeros(4, int)) == []
