import numpy as np
import pytest

from hqgan.errors import UserError
from hqgan.experiments.study import arms
from hqgan.experiments.study.arms import Arm, arms_of
from hqgan.experiments.study.uses import USES

COUNTS = np.array([42, 56, 128, 185, 408, 343, 3027])
CLASSES = ("df", "vasc", "akiec", "bcc", "bkl", "mel", "nv")


def test_every_generator_gets_every_use_and_mixed_every_ratio():
    names = [arm.name for arm in arms_of(["hqgan"], ["mixed", "balanced-mix"], [2.0, 0.1, 1.0])]
    assert names[:4] == ["real", "augmented", "oversampled", "weighted"]
    assert names[4:] == ["hqgan-mixed-10%", "hqgan-mixed-balance", "hqgan-mixed-x2", "hqgan-balanced-mix"]


def test_rare_classes_are_filled_to_the_mean():
    rare = arms.rare_classes(COUNTS, CLASSES, None)
    assert [CLASSES[c] for c in rare] == ["df", "vasc", "akiec"]
    filled = COUNTS + arms.fill(COUNTS, rare, 1.0)
    assert (filled[:3] == round(COUNTS.mean())).all()
    assert (filled[3:] == COUNTS[3:]).all()
    pool = arms.pool_sizes(COUNTS, rare)
    assert (pool >= arms.fill(COUNTS, rare, 2.0)).all()
    assert (pool >= round(COUNTS.mean())).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: arms_of(["x"], ["stirred"], [1.0]), "no use 'stirred'"),
        (lambda: arms_of(["x"], ["mixed"], [3.0]), "ratio of 3 is outside"),
        (lambda: arms.rare_classes(COUNTS, CLASSES, ["xx"]), "no class 'xx'"),
        (lambda: arms.rare_classes(COUNTS, CLASSES, ["nv"]), "nothing to fill"),
        (lambda: arms.rare_classes(np.array([10, 11]), ("a", "b"), None), "name the rare ones"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(UserError, match=sentence):
        call()


def test_names_of_arms_differ():
    near = [arm.name for arm in arms_of(["a"], ["mixed"], [0.5, 0.504, 0.002, 0.995])]
    assert near[4:] == ["a-mixed-0.2%", "a-mixed-50%", "a-mixed-50.4%", "a-mixed-99.5%"]
    every = arms_of(["a", "b"], list(USES), arms.RATIOS)
    assert len({arm.name for arm in every}) == len(every) == 4 + 2 * 9
    assert Arm("real").generator is None
