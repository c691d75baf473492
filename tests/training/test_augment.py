import torch

from hqgan.runtime.random_streams import stream
from hqgan.training.augment import augment

IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def changed(policy, seed=0):
    return augment(IMAGES, policy, stream(seed, "test", 0))


def test_nothing_asked_nothing_changed():
    assert torch.equal(changed(()), IMAGES)


def test_same_stream_same_change_other_stream_other_change():
    for policy in ("color", "translation", "cutout"):
        assert torch.equal(changed((policy,)), changed((policy,)))
        assert not torch.equal(changed((policy,)), changed((policy,), seed=1))
        assert not torch.equal(changed((policy,)), IMAGES)


def test_translation_moves_whole_pixels():
    out = changed(("translation",))
    for before, after in zip(IMAGES, out, strict=True):
        shifts = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(
                after[:, max(0, dy) : 16 + min(0, dy), max(0, dx) : 16 + min(0, dx)],
                before[:, max(0, -dy) : 16 + min(0, -dy), max(0, -dx) : 16 + min(0, -dx)],
            )
        ]
        assert len(shifts) == 1


def test_cutout_blanks_a_square_and_leaves_the_rest():
    out = changed(("cutout",))
    kept = (out == IMAGES).all(1)
    blank = (out == 0).all(1)
    assert (kept | blank).all()
    assert (blank.sum((1, 2)) <= 64).all()
    assert (blank.sum((1, 2)) > 0).all()


def test_color_keeps_the_order_of_contrast_and_gradients_flow():
    images = IMAGES.clone().requires_grad_(True)
    augment(images, ("color", "translation", "cutout"), stream(0, "test", 0)).square().sum().backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().sum() > 0
