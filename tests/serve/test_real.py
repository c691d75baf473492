import numpy as np

from hqgan.metrics import copying as privacy


def test_a_training_image_is_its_own_copy_and_flagged(served):
    real = served[0].real
    row = int(real.train[3])
    mirrored = np.ascontiguousarray(real.data.images[row][:, ::-1])
    near = real.nearest(np.stack([real.data.images[row], mirrored]))
    assert [one.closest.why for one in near] == ["copy", "copy"]
    assert {one.closest.row for one in near} == {row}
    assert near[0].grey_levels == 0
    assert near[0].name == real.data.classes[real.data.labels[row]]


def test_only_training_images_are_shown(served):
    real = served[0].real
    held_out = np.setdiff1d(np.arange(len(real.data)), real.train)[:8]
    near = real.nearest(np.asarray(real.data.images[held_out]))
    assert all(one.closest.row in real.train for one in near)


def test_what_is_like_nothing_in_particular_is_not_flagged(served):
    noise = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    near = served[0].real.nearest(noise)
    assert [one.closest.why for one in near] == ["", ""]
    assert all(privacy.COPIED < one.closest.ratio <= 1 for one in near)
