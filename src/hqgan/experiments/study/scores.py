"""What a classifier's answers on the test part are worth."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

BINS = 15
"""Of the calibration error, equally wide."""


def scores(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Measures of probabilities (N, C) for labels (N,).

    Returns:
        ``balanced_accuracy`` (mean recall of the classes that occur), ``accuracy`` (the paper's), ``auroc`` (macro, one class
        against the rest), ``calibration_error`` (ECE over `BINS` bins of the winning class's probability, arXiv 1706.04599),
        and ``recall`` and ``f1`` by class name, None for a class without test images.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

    said = probabilities.argmax(1)
    every = list(range(len(classes)))
    with warnings.catch_warnings():
        # A class that is never answered has no precision; its F1 is 0.
        warnings.simplefilter("ignore")
        recall = recall_score(labels, said, labels=every, average=None, zero_division=0)
        f1 = f1_score(labels, said, labels=every, average=None, zero_division=0)
    auroc = [
        float(roc_auc_score(labels == c, probabilities[:, c])) for c in every if 0 < np.sum(labels == c) < len(labels)
    ]
    return {
        "balanced_accuracy": float(np.mean([r for c, r in enumerate(recall) if (labels == c).any()])),
        "accuracy": float(accuracy_score(labels, said)),
        "auroc": float(np.mean(auroc)),
        "calibration_error": calibration_error(probabilities, labels),
        "recall": {
            name: float(r) if (labels == c).any() else None
            for c, (name, r) in enumerate(zip(classes, recall, strict=True))
        },
        "f1": {
            name: float(f) if (labels == c).any() else None for c, (name, f) in enumerate(zip(classes, f1, strict=True))
        },
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599) over `BINS` equally wide bins."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    apart = [abs(right[place == b].mean() - sure[place == b].mean()) * np.mean(place == b) for b in np.unique(place)]
    return float(np.sum(apart))
