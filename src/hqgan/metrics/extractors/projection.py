"""From a network's statistics of feature maps to features of few dimensions.

Features are the logarithm of the means and deviations of a network's maps (they are skewed: without it, five odd images in
a thousand decide a distance), standardised, cut off softly at four deviations, rotated to the 64 directions in which clean
and corrupted training images vary most, and divided by their deviation there. Corrupted images take part since a direction
along which real images do not vary at all is the very one along which generated ones differ from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hqgan.metrics.extractors import networks
from hqgan.metrics.extractors.extractor import FeatureExtractor, Tensors, hash_of
from hqgan.metrics.extractors.networks import TrainingImages
from hqgan.runtime.threads import one_thread

DIMENSIONS = 64
"""Features of a network, so that a Fréchet distance needs no more than 129 images a side."""


def fit_projection(clean: np.ndarray, corrupted: np.ndarray) -> Tensors:
    """Constants of `project` from statistics (N, K) of clean and of corrupted training images."""
    with one_thread():
        constants = _scale(clean)
        both = np.concatenate([_standardise(clean, constants), _standardise(corrupted, constants)]).astype(np.float64)
        _, vectors = np.linalg.eigh(np.cov(both, rowvar=False))
        directions = vectors[:, ::-1][:, : min(DIMENSIONS, len(clean) - 1)]
        directions = directions / (both @ directions).std(0)
        constants |= {"directions": directions, "middle": (_standardise(clean, constants) @ directions).mean(0)}
        return {key: value.astype(np.float32) for key, value in constants.items()}


def project(statistics: np.ndarray, constants: Tensors) -> np.ndarray:
    """Features (N, D) float32 of statistics (N, K)."""
    features = _standardise(statistics, constants) @ constants["directions"] - constants["middle"]
    return features.astype(np.float32)


def fit_neutral_projection(statistics: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A map from a network's statistics to features that is scaled by one set of clean images.

    Args:
        statistics: (N, K) of the reference images.

    Returns:
        From (M, K) to (M, D) float32: standardised logarithms along the reference's D strongest directions, D at most
        `DIMENSIONS`; directions keep their own deviations, so that noise is not amplified.
    """
    constants = _scale(statistics)
    with one_thread():
        _, vectors = np.linalg.eigh(np.cov(_standardise(statistics, constants).astype(np.float64), rowvar=False))
    directions = vectors[:, ::-1][:, :DIMENSIONS]
    return lambda given: (_standardise(given, constants) @ directions).astype(np.float32)


Stages = Mapping[str, tuple[int, ...]]
"""Which stages of a `StageNetwork`, 0 to 3, by extractor."""


def fit(backbone: str, network: networks.StageNetwork, stages: Stages, training: TrainingImages) -> Tensors:
    """The weights of a network, and the constants of each extractor's projection; by name, for `build`."""
    clean, corrupted = (networks.run(network, x) for x in (training.clean, training.corrupted))
    tensors = networks.weights_of(network, f"{backbone}.")
    for name, own in stages.items():
        columns = networks.stage_columns(*own)
        constants = fit_projection(clean[:, columns], corrupted[:, columns])
        tensors |= {f"{backbone}/{name}/{key}": value for key, value in constants.items()}
    return tensors


def build(backbone: str, stages: Stages, tensors: Tensors) -> list[FeatureExtractor]:
    """The extractors from what `fit` gave, which may stand among other tensors."""
    weights = starting_with(f"{backbone}.", tensors)
    network = networks.from_weights(weights)

    def extractor(name: str, columns: np.ndarray) -> FeatureExtractor:
        constants = starting_with(f"{backbone}/{name}/", tensors)
        return FeatureExtractor(
            name,
            hash_of({**weights, **constants}),
            "features",
            backbone,
            lambda images: networks.run(network, images),
            lambda statistics: project(statistics[:, columns], constants),
            constants["directions"].shape[1],
        )

    return [extractor(name, networks.stage_columns(*own)) for name, own in stages.items()]


def starting_with(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors whose names begin so, without the beginning."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _scale(statistics: np.ndarray) -> Tensors:
    offset = 0.1 * np.median(statistics, 0) + 1e-3
    logs = np.log(statistics + offset)
    return {"offset": offset, "centre": logs.mean(0), "scale": logs.std(0) + 1e-6}


def _standardise(statistics: np.ndarray, constants: Tensors) -> np.ndarray:
    """Logarithm, standardised, cut off softly at four deviations."""
    z = (np.log(statistics + constants["offset"]) - constants["centre"]) / constants["scale"]
    return 4 * np.tanh(z / 4)
