import numpy as np
import pytest

from hqgan.errors import UserError
from hqgan.experiments.study import classifiers
from hqgan.experiments.study.arms import CLASSICAL, Arm
from hqgan.experiments.study.batches import Sampling, TrainingImages
from hqgan.experiments.study.uses import OLD_NAMES, USES, current_name, use_named


def images(n, value, classes):
    return TrainingImages(np.full((n, 4, 4, 3), value, np.uint8), np.arange(n) % classes, np.arange(n))


@pytest.mark.parametrize("name", USES)
def test_every_use_is_one_row_and_gives_whole_batches(name):
    use = use_named(name)
    assert (use.score is None) == (use.keep is None)
    draw = use.batches(images(30, 0, 3), images(6, 255, 3), Sampling(np.random.default_rng(0), 8, 10))
    for step in range(10):
        pixels, labels = draw(step)
        assert pixels.shape == (8, 4, 4, 3)
        assert labels.shape == (8,)


def test_former_names_are_understood():
    assert {current_name(old) for old in ("capped", "agreed", "dense")} <= set(USES)
    assert current_name("mixed") == "mixed"
    assert Arm("balanced-mix", "hqgan").old_names == ["hqgan-capped"]
    assert Arm("mixed", "hqgan", 0.5).old_names == []
    assert not set(OLD_NAMES) & set(USES)
    assert not set(CLASSICAL) & set(USES)


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="no use 'stirred' of generated images; there are mixed, balanced-mix"):
        use_named("stirred")
    with pytest.raises(UserError, match="no classifier 'vgg'; there are small"):
        classifiers.build(classifiers.Recipe("vgg"), 2, 32)


def test_the_rows_of_the_table_of_classifiers_know_their_names():
    assert {row.recipe.network for row in classifiers.CLASSIFIERS.values()} == set(classifiers.CLASSIFIERS)
