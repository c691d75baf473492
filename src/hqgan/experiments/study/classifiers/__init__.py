"""The classifiers of a study, one file each. To add one, write its file and add its row to `CLASSIFIERS`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from hqgan.errors import UserError
from hqgan.experiments.study.classifiers import resnet18, small, vit_small
from hqgan.experiments.study.classifiers.training import Classifier, Recipe
from hqgan.io.pretrained import load_weights
from hqgan.wording import listed

CLASSIFIERS: dict[str, Classifier] = {
    "small": small.CLASSIFIER,
    "resnet18": resnet18.CLASSIFIER,
    "vit-small": vit_small.CLASSIFIER,
}
"""By name."""


def classifier_named(name: str) -> Classifier:
    """A row of the table.

    Raises:
        UserError: there is no such classifier.
    """
    if name not in CLASSIFIERS:
        raise UserError(f"There is no classifier {name!r}; there are {listed(list(CLASSIFIERS))}.")
    return CLASSIFIERS[name]


def recipe_of(name: str, steps: int | None, weights: str | None) -> Recipe:
    """The recipe of a classifier.

    Args:
        name: one of `CLASSIFIERS`.
        steps: None for the default.
        weights: path of safetensors to fine-tune from; None to train from scratch.

    Raises:
        UserError: there is no such classifier.
    """
    plain = classifier_named(name).recipe
    return replace(plain, steps=steps or plain.steps, lr=plain.lr / 5 if weights else plain.lr, weights=weights)


def build(recipe: Recipe, classes: int, size: int) -> nn.Module:
    """A network with random weights (torch's global seed), or with those of `recipe.weights` and a random last layer.

    Args:
        recipe: names the classifier and its weights.
        classes: number of classes.
        size: side of the images in pixels.

    Raises:
        UserError: there is no such classifier, the weights cannot be read, or they belong to another network.
    """
    row = classifier_named(recipe.network)
    network = row.build(classes, size)
    if recipe.weights:
        adapt = row.adapt
        fit = None if adapt is None else lambda given: adapt(given, network)
        load_weights(network, Path(recipe.weights), but=("head", "fc"), fit=fit)
    return network
