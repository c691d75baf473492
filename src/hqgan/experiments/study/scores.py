"""Scores of a classifier's predictions on the test part."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15
"""Equally wide bins of the calibration error."""


@dataclass(frozen=True)
class Scores:
    """Scores on the test part.

    Attributes:
        balanced_accuracy: mean recall of the classes that have test images.
        accuracy: share of correct predictions, as the paper reports it.
        auroc: mean over classes of the area under the curve of one class against the rest.
        calibration_error: expected calibration error, see `calibration_error`.
        recall: by class name; None for a class without test images.
        f1: by class name; None for a class without test images.
    """

    balanced_accuracy: float
    accuracy: float
    auroc: float
    calibration_error: float
    recall: dict[str, float | None]
    f1: dict[str, float | None]


def scores(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Scores:
    """Scores of probabilities (N, C) for labels (N,)."""
    from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

    predicted = probabilities.argmax(1)
    every = list(range(len(classes)))
    with warnings.catch_warnings():
        # A class that is never predicted has no precision; its F1 is 0.
        warnings.simplefilter("ignore")
        recall = recall_score(labels, predicted, labels=every, average=None, zero_division=0)
        f1 = f1_score(labels, predicted, labels=every, average=None, zero_division=0)
    auroc = [
        float(roc_auc_score(labels == c, probabilities[:, c])) for c in every if 0 < np.sum(labels == c) < len(labels)
    ]

    def by_name(values: Sequence[float]) -> dict[str, float | None]:
        tested = [(labels == c).any() for c in every]
        return {name: float(v) if there else None for name, v, there in zip(classes, values, tested, strict=True)}

    return Scores(
        balanced_accuracy=float(np.mean([r for c, r in enumerate(recall) if (labels == c).any()])),
        accuracy=float(accuracy_score(labels, predicted)),
        auroc=float(np.mean(auroc)),
        calibration_error=calibration_error(probabilities, labels),
        recall=by_name(recall),
        f1=by_name(f1),
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599) over `BINS` equally wide bins."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(right[place == b].mean() - sure[place == b].mean()) * np.mean(place == b) for b in np.unique(place)]
    return float(np.sum(gaps))
