import numpy as np
import pytest

from hqgan.experiments.study.training import calibration_error, scores


def test_agrees_with_torchmetrics():
    from importlib import import_module

    import torch

    m = import_module("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    raw = rng.normal(size=(200, 3)) + 1.5 * np.eye(3)[labels]
    probabilities = (np.exp(raw) / np.exp(raw).sum(1, keepdims=True)).astype(np.float32)
    p, y = torch.from_numpy(probabilities), torch.from_numpy(labels)
    found = scores(probabilities, labels, ("a", "b", "c"))
    recall = m.multiclass_recall(p, y, 3, average=None).numpy()
    assert found.balanced_accuracy == pytest.approx(recall.mean(), abs=1e-6)
    assert list(found.recall.values()) == pytest.approx(recall, abs=1e-6)
    assert list(found.f1.values()) == pytest.approx(m.multiclass_f1_score(p, y, 3, average=None).numpy(), abs=1e-6)
    assert found.accuracy == pytest.approx(float(m.multiclass_accuracy(p, y, 3, average="micro")), abs=1e-6)
    assert found.auroc == pytest.approx(float(m.multiclass_auroc(p, y, 3)), abs=1e-5)
    assert found.calibration_error == pytest.approx(float(m.multiclass_calibration_error(p, y, 3, n_bins=15)), abs=1e-5)


def test_a_class_without_test_images_is_left_out_of_the_mean():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    found = scores(probabilities, np.array([0, 1]), ("a", "b", "c"))
    assert found.balanced_accuracy == 1.0
    assert found.auroc == 1.0
    assert found.recall == {"a": 1.0, "b": 1.0, "c": None}


def test_a_sure_and_wrong_classifier_is_badly_calibrated():
    sure = np.tile([1.0, 0.0], (10, 1))
    assert calibration_error(sure, np.ones(10, int)) == 1.0
    assert calibration_error(sure, np.zeros(10, int)) == 0.0
