import io

import numpy as np
import pytest
from PIL import Image

from hqgan.data.synthetic import demo
from hqgan.errors import UserError
from hqgan.experiments.splits import refuse_copies
from hqgan.metrics.near_duplicates import nearest_copies


@pytest.fixture(scope="module")
def images():
    return np.stack([demo.paint("nevus", 0, lesion, 0, 32) for lesion in range(40)])


def through_jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=92)
    return np.asarray(Image.open(buffer))


def test_copies_are_found_turned_mirrored_and_through_jpeg(images):
    test = images[20:]
    given = images[:20].copy()
    given[3] = test[7]
    given[5] = np.rot90(test[2], 3)
    given[6] = np.rot90(test[11])[:, ::-1]
    given[8] = through_jpeg(test[4])
    given[9] = np.clip(test[1].astype(int) + np.random.default_rng(0).integers(-3, 4, test[1].shape), 0, 255)
    assert nearest_copies(given, test).tolist() == [[3, 7], [5, 2], [6, 11], [8, 4], [9, 1]]


def test_other_lesions_are_none(images):
    assert len(nearest_copies(images[:20], images[20:])) == 0
    two_views = np.stack([demo.paint("nevus", 0, 3, view, 32) for view in range(2)])
    assert len(nearest_copies(two_views[:1], two_views[1:])) == 0


def test_the_sentence_names_both(images):
    with pytest.raises(
        UserError, match=r"the image by x, df number 0 is a copy of the test image b/1\.png, so results"
    ):
        refuse_copies(images[:1], ["df number 0"], images[[5, 0]], ["b/0.png", "b/1.png"], "the image by x,")
