import csv
import io
import zipfile

import numpy as np
import pytest
import torch

from hqgan.io.images import read_png
from hqgan.sampling.generate import generate
from hqgan.serve.images import archive, between, images, noise


@pytest.fixture
def loaded(served):
    return served[0].loaded


def test_the_same_images_as_hqgan_generate_writes(loaded, tmp_path):
    generate(loaded, {"nevus": 5}, tmp_path / "out", seed=3)
    wanted = np.stack([read_png(tmp_path / "out" / "nevus" / f"nevus-{i:05d}.png") for i in range(5)])
    np.testing.assert_array_equal(images(loaded, "nevus", noise(loaded, "nevus", 3, 5, 1.0)), wanted)


def test_truncation_draws_images_together(loaded):
    def spread(truncation):
        made = images(loaded, "melanoma", noise(loaded, "melanoma", 0, 16, truncation)).astype(float)
        return made.std(0).mean()

    assert spread(0.1) < 0.5 * spread(0.5) < 0.5 * spread(1.0)


def test_the_way_between_two_keeps_their_length():
    a, b = torch.randn(2, 400, generator=torch.Generator().manual_seed(0))
    rows = between(a, b, 5)
    torch.testing.assert_close(rows[0], a)
    torch.testing.assert_close(rows[-1], b)
    assert (rows.norm(dim=1) > 0.95 * min(a.norm(), b.norm())).all()
    assert 0.5 * (a + b).norm() < 0.8 * rows[2].norm()  # a straight way would be far from any noise
    angles = torch.nn.functional.cosine_similarity(rows[:-1], rows[1:]).arccos()
    assert angles.std() < 0.1 * angles.mean()


def test_the_way_from_an_image_to_itself_stays():
    a = torch.randn(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(between(a, a, 4), a.expand(4, 8))


def test_the_archive_is_what_generate_writes_and_says_how(served, tmp_path):
    generate(served[0].loaded, {"nevus": 3}, tmp_path / "out", seed=7)
    whole = archive(served[0], "nevus", 7, 3, 1.0)
    assert archive(served[0], "nevus", 7, 3, 1.0) == whole
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None
        names = [f"nevus/nevus-{i:05d}.png" for i in range(3)]
        assert found.namelist() == [*names, "manifest.csv", "MODEL_CARD.md"]
        for name in names:
            assert found.read(name) == (tmp_path / "out" / name).read_bytes()
        assert found.read("MODEL_CARD.md").decode().startswith((tmp_path / "out" / "MODEL_CARD.md").read_text()[:200])
        rows = list(csv.DictReader(io.StringIO(found.read("manifest.csv").decode())))
    with (tmp_path / "out" / "manifest.csv").open(newline="") as stream:
        wanted = list(csv.DictReader(stream))
    assert [{k: v for k, v in row.items() if k != "truncation"} for row in rows] == wanted
    assert {row["truncation"] for row in rows} == {"1.0"}
