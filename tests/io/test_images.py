import numpy as np
import pytest
import torch

from hqgan.io.images import grid, labelled_rows, to_float, to_uint8, write_png


def test_every_byte_survives_the_round_trip():
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    floats = to_float(images)
    assert floats.shape == (1, 3, 16, 16)
    assert floats.min() == -1
    assert floats.max() == 1
    assert np.array_equal(to_uint8(floats), images)


def test_values_outside_are_clipped_not_rescaled():
    assert to_uint8(torch.tensor([-9.0, 0.0, 9.0]).reshape(1, 3, 1, 1)).ravel().tolist() == [0, 128, 255]


def test_grid_lays_out_by_rows():
    images = np.stack([np.full((2, 2, 3), i, np.uint8) for i in range(3)])
    sheet = grid(images, 2, pad=1)
    assert sheet.shape == (7, 7, 3)
    assert sheet[1, 1, 0] == 0
    assert sheet[1, 4, 0] == 1
    assert sheet[4, 1, 0] == 2
    assert sheet[4, 4, 0] == 255


def test_rows_are_named_and_enlarged():
    rows = [("a", np.zeros((2, 4, 4, 3), np.uint8)), ("long name", np.zeros((2, 4, 4, 3), np.uint8))]
    small, large = labelled_rows(rows), labelled_rows(rows, scale=2, title="t")
    assert (large == 0).all(2).sum() >= 4 * (small == 0).all(2).sum()


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.zeros((4, 4, 3), np.uint8))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_png(path, np.zeros((4, 4, 3), np.complex128))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
