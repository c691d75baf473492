from importlib import import_module

import numpy as np
import pytest
import torch

from hqgan.metrics import copying as privacy


def two_sets(rng, classes=3, lesions=40, d=6):
    """Features, labels and lesions of training and held-out images of one distribution."""
    labels = np.repeat(np.arange(classes), lesions)
    return (
        rng.normal(size=(len(labels), d)) + labels[:, None],
        rng.normal(size=(len(labels), d)) + labels[:, None],
        labels,
    )


def test_copies_are_found_and_new_images_are_not():
    rng = np.random.default_rng(0)
    train, held_out, labels = two_sets(rng)
    fresh = privacy.nearest_share(
        (rng.normal(size=train.shape) + labels[:, None], labels), (train, labels), (held_out, labels), permutations=999
    )
    assert fresh.value == pytest.approx(0.5, abs=0.12)
    assert fresh.p_value > 0.02
    near = privacy.nearest_share(
        (train + 0.1 * rng.normal(size=train.shape), labels), (train, labels), (held_out, labels), permutations=999
    )
    assert near.value > 0.95
    assert near.p_value == pytest.approx(1 / 1000)
    other = privacy.nearest_share((held_out, labels), (train, labels), (held_out, labels), permutations=999)
    assert other.value == 0.0
    assert other.p_value == 1.0


def test_p_values_are_uniform_where_nothing_is_copied():
    rng = np.random.default_rng(1)
    found = []
    for seed in range(60):
        train, held_out, labels = two_sets(rng, lesions=15)
        made = rng.normal(size=train.shape) + labels[:, None]
        found.append(privacy.nearest_share((made, labels), (train, labels), (held_out, labels), seed, 99).p_value)
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean(np.array(found) < 0.1) < 0.22


def test_one_training_lesion_drawn_again_and_again_is_no_proof_by_itself():
    """The lesion is the unit: a thousand images of one lesion are one coin thrown once."""
    rng = np.random.default_rng(2)
    train, held_out, labels = two_sets(rng)
    again = np.tile(train[:1], (1000, 1)) + 0.01 * rng.normal(size=(1000, train.shape[1]))
    test = privacy.nearest_share((again, np.zeros(1000, int)), (train, labels), (held_out, labels), permutations=999)
    assert test.value > 0.99
    assert test.p_value > 0.3


def test_equal_lesions_takes_one_image_each():
    labels = np.repeat([0, 1], [12, 9])
    groups = np.array([f"{label}-{i // 3}" for label, i in zip(labels, [*range(12), *range(9)], strict=True)])
    train, held_out = np.arange(0, 9), np.arange(9, 21)
    a, b = privacy.equal_lesions(labels, groups, train, held_out, 0)
    assert len(a) == len(b) == 1  # class 0 has three training lesions and one held out, class 1 none to train on
    assert len(set(groups[a])) == 1
    assert labels[a] == labels[b] == 0


def test_membership_agrees_with_sklearn_within_classes():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [60, 40])
    members = rng.random(100) < 0.6
    scores = rng.normal(size=100) + 5 * labels + 0.8 * members
    test = privacy.membership(scores, members, labels, np.arange(100).astype(str), permutations=499)
    wins = pairs = 0.0
    for c in (0, 1):
        mine = labels == c
        n = members[mine].sum() * (~members[mine]).sum()
        wins, pairs = wins + n * roc_auc_score(members[mine], scores[mine]), pairs + n
    assert test.value == pytest.approx(wins / pairs)
    assert test.p_value < 0.02
    nothing = privacy.membership(rng.normal(size=100), members, labels, np.arange(100).astype(str), permutations=499)
    assert nothing.p_value > 0.02


def test_images_of_one_lesion_are_permuted_together():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(6), 50).astype(str)
    members = np.isin(groups, ["0", "1", "2"])
    scores = np.repeat(rng.normal(size=6), 50) + 0.01 * rng.normal(size=300)
    test = privacy.membership(scores, members, np.zeros(300, int), groups, permutations=999)
    assert test.p_value >= 1 / 21  # six lesions can be parted in twenty ways, not in 300 choose 150


def test_halves_split_members_by_lesion():
    groups = np.repeat(np.arange(20), 2).astype(str)
    labels, members = np.repeat([0, 1], 20), np.arange(40) < 30
    half = privacy.halves(members, labels, groups, 0)
    assert not half[~members].any()
    assert all(len(set(half[groups == g])) == 1 for g in groups)
    assert 12 <= half.sum() <= 16


def test_authenticity():
    rng = np.random.default_rng(5)
    train, fresh = rng.normal(size=(300, 4)), rng.normal(size=(300, 4))
    assert privacy.authenticity(fresh, train) == pytest.approx(0.5, abs=0.1)
    assert privacy.authenticity(train, train) == 0.0
    assert privacy.authenticity(fresh + 20, train) == 1.0


def test_mifid_agrees_with_torchmetrics():
    compute = import_module("torchmetrics.image.mifid")._mifid_compute
    rng = np.random.default_rng(6)
    train = rng.normal(size=(300, 5)) + 1
    for made in (rng.normal(size=(200, 5)) + 1, train[:200] + 0.01):
        moments = [torch.from_numpy(m) for x in (made, train) for m in (x.mean(0), np.cov(x, rowvar=False))]
        # Generated first: theirs takes the nearest second image of each first one.
        theirs = compute(*moments[:2], torch.from_numpy(made), *moments[2:], torch.from_numpy(train), 0.1)
        ours, distance = privacy.mifid(made, train, train)
        assert ours == pytest.approx(float(theirs), rel=1e-4)
        assert distance >= 0


def test_closeness_looks_past_other_images_of_the_same_lesion():
    train = np.array([[0.0, 0], [0.1, 0], [5, 0]])
    nearest, ratio = privacy.closeness(np.array([[0.0, 0.05], [2.5, 0]]), train, np.array(["a", "a", "b"]))
    assert nearest[0] == 0
    assert ratio[0] == pytest.approx(0.01, rel=0.01)
    assert ratio[1] > 0.9
