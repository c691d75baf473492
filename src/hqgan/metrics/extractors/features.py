"""Extractors as eyes ('views') and their cache. Several views, never one: where they disagree, no single one decides.

====================  ==================================================================================================
``derm``              every stage of a small network that the project trains on the training split itself
``early`` ``middle``  its first two stages; its third; its last
``late``
``untrained``         the same network with random weights: knows nothing of lesions and cannot know the training images
``laplacian``         no network: 7x7 patches of a Laplacian pyramid along fixed directions, for sliced Wasserstein
====================  ==================================================================================================

A network's view is the logarithm of the means and deviations of its maps (they are skewed: without it, five odd images in
a thousand decide a distance), standardised, cut off softly at four deviations, rotated to the 64 directions in which clean
and spoiled training images vary most, and divided by their deviation there. Spoiled images take part since a direction
along which real images do not vary at all is the very one along which generated ones can be told apart.

Everything is fitted on the training split, kept as safetensors under a cache folder, and named by a hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hqgan.errors import UserError
from hqgan.reporter import SILENT, Reporter
from hqgan.runtime.threads import one_thread

if TYPE_CHECKING:
    import torch

RECIPE = "2"
"""Version of all that shapes a view; raise it with any change here, in `networks` or in `spoil`."""

DIMENSIONS = 64
"""Features of a network's view, so that a Fréchet distance needs no more than 129 images a side."""

STAGES = {"derm": (0, 1, 2, 3), "early": (0, 1), "middle": (2,), "late": (3,)}
NAMES = (*STAGES, "untrained", "laplacian")

_EYE_SEED, _PROTO_SEED, _UNTRAINED_SEED, _PATCH_SEED = 20240, 71, 1618, 2718
_FITTED_ON = 2000  # clean training images, and as many spoiled ones, that set a view's directions
_PATCHES, _PATCH, _LEVELS, _DIRECTIONS = 16, 7, 3, 64


@dataclass(frozen=True)
class FeatureExtractor:
    """An extractor: a fixed map from images to features.

    Attributes:
        name: one of `NAMES`.
        hash: hex SHA-256 of the weights, the fitted constants and the recipe's version.
        kind: ``features``, an image a vector; or ``patches``, an image a bag of patches that are projections already.
        trunk: name of what is computed first; views of one trunk share it, see `extract`.
        look: the trunk, uint8 images (N, S, S, 3) to (N, K) float32.
        finish: (N, K) to features (N, D) float32.
        width: values of one patch, where `kind` is ``patches``; else D.
    """

    name: str
    hash: str
    kind: Literal["features", "patches"]
    trunk: str
    look: Callable[[np.ndarray], np.ndarray]
    finish: Callable[[np.ndarray], np.ndarray]
    width: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features (N, D) float32 of uint8 images (N, S, S, 3)."""
        return self.finish(self.look(images))


def extract(views: Sequence[FeatureExtractor], images: np.ndarray) -> dict[str, np.ndarray]:
    """Features of every view by name; a trunk that several views share runs once."""
    raw: dict[str, np.ndarray] = {}
    for view in views:
        if view.trunk not in raw:
            raw[view.trunk] = view.look(images)
    return {view.name: view.finish(raw[view.trunk]) for view in views}


def load_views(
    images: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    *,
    fingerprint: str,
    cache: Path,
    reporter: Reporter = SILENT,
) -> list[FeatureExtractor]:
    """All views for a training split: from the cache, or trained now (on two cores 1 to 2 minutes for 4,200 images).

    Args:
        images: (N, S, S, 3) uint8, the whole data set, S a multiple of 4, at least 32.
        labels: (N,) class indices.
        train: indices of the training split; nothing else is looked at.
        fingerprint: of the data set; with `train` and `RECIPE` the cache's key.
        cache: folder, made if need be.
        reporter: receives the progress of the training.

    Returns:
        The views in the order of `NAMES`.

    Raises:
        UserError: images of a size that the views cannot look at.
    """
    side = images.shape[1]
    if side < 32 or side % 4:
        raise UserError(f"The judges look at images of 32 pixels or more, a multiple of 4; these have {side}.")

    def fit() -> dict[str, np.ndarray]:
        return _fit_views(np.asarray(images[train]), np.asarray(labels)[train], reporter)

    return _build(_cached("views", fingerprint, train, cache, fit))


def train_proto(
    images: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    classes: int,
    *,
    fingerprint: str,
    cache: Path,
    reporter: Reporter = SILENT,
) -> np.ndarray:
    """Class means (C, 1280) float32 in features of `proto`, from which the generator's prototypes start.

    `proto` is a network of its own, of another shape and seed than any view's, and never judges. A class without training
    images gets the mean of all. Arguments as `load_views`; `classes` is C.
    """

    def fit() -> dict[str, np.ndarray]:
        from hqgan.metrics.extractors import networks

        own_images, own_labels = np.asarray(images[train]), np.asarray(labels)[train]
        proto = networks.fit_proto(own_images, own_labels, classes, _PROTO_SEED, reporter)
        features = networks.run(proto, own_images)
        means = np.tile(features.mean(0), (classes, 1))
        for c in np.unique(own_labels):
            means[c] = features[own_labels == c].mean(0)
        return {"class_means": means.astype(np.float32), **_weights(proto, "proto.")}

    return _cached("proto", f"{fingerprint}/{classes}", train, cache, fit)["class_means"]


def _cached(
    name: str, fingerprint: str, train: np.ndarray, cache: Path, fit: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Tensors by name from ``cache/name-key.safetensors``, or fitted and written there, whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    recipe = {
        "name": name,
        "recipe": RECIPE,
        "fingerprint": fingerprint,
        "train": hashlib.sha256(np.asarray(train, np.int64).tobytes()).hexdigest(),
    }
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    path = cache / f"{name}-{key}.safetensors"
    if path.exists():
        try:
            return load_file(path)
        except (SafetensorError, OSError):
            pass  # cut short or damaged: nothing in it that cannot be made again
    tensors = {k: np.ascontiguousarray(v) for k, v in fit().items()}
    cache.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    path.with_suffix(".json").write_text(json.dumps({**recipe, "hash": _hash(tensors)}, indent=2) + "\n")
    return tensors


def _fit_views(images: np.ndarray, labels: np.ndarray, reporter: Reporter) -> dict[str, np.ndarray]:
    """Train and fit all that the views need, as tensors by name."""
    import torch

    from hqgan.io.images import to_float, to_uint8
    from hqgan.metrics.extractors import corruptions as spoil
    from hqgan.metrics.extractors import networks

    eye = networks.train_eye(images, labels, int(labels.max()) + 1, _EYE_SEED, reporter)
    plain = networks.untrained_eye(images, _UNTRAINED_SEED)
    reporter.message("computing reference statistics of the feature extractors")
    rows = np.random.default_rng(_EYE_SEED).permutation(len(images))[:_FITTED_ON]
    generator = torch.Generator().manual_seed(_EYE_SEED)
    clean = images[rows]
    spoiled = np.concatenate(
        [
            to_uint8(spoil.spoil(to_float(part), spoil.strengths(len(part), generator), generator))
            for part in np.array_split(clean, -(-len(clean) // 250))
        ]
    )
    tensors = {**_weights(eye, "derm."), **_weights(plain, "untrained.")}
    for prefix, network, names in (("derm", eye, tuple(STAGES)), ("untrained", plain, ("untrained",))):
        sets = networks.run(network, clean), networks.run(network, spoiled)
        for name in names:
            columns = networks.stage_columns(*STAGES.get(name, STAGES["derm"]))
            with one_thread():
                basis = _fit_basis(sets[0][:, columns], sets[1][:, columns])
            tensors |= {f"{prefix}/{name}/{key}": value for key, value in basis.items()}
    return tensors | _fit_patches(clean)


def _fit_basis(clean: np.ndarray, spoiled: np.ndarray) -> dict[str, np.ndarray]:
    """Constants of `_project` from statistics (N, K) of clean and of spoiled training images."""
    offset = 0.1 * np.median(clean, 0) + 1e-3
    logs = np.log(clean + offset)
    centre, scale = logs.mean(0), logs.std(0) + 1e-6
    basis = {"offset": offset, "centre": centre, "scale": scale}
    both = np.concatenate([_standard(clean, basis), _standard(spoiled, basis)]).astype(np.float64)
    _, vectors = np.linalg.eigh(np.cov(both, rowvar=False))
    directions = vectors[:, ::-1][:, : min(DIMENSIONS, len(clean) - 1)]
    directions = directions / (both @ directions).std(0)
    basis |= {"directions": directions, "middle": (_standard(clean, basis) @ directions).mean(0)}
    return {key: value.astype(np.float32) for key, value in basis.items()}


def fit_directions(statistics: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A map from a network's statistics to features, scaled by one set of images that is not spoiled nor split.

    Args:
        statistics: (N, K) of the reference images.

    Returns:
        From (M, K) to (M, D) float32: standardised logarithms along the reference's D strongest directions, D at most
        `DIMENSIONS`; directions keep their own deviations, so that noise is not blown up.
    """
    offset = 0.1 * np.median(statistics, 0) + 1e-3
    logs = np.log(statistics + offset)
    basis = {"offset": offset, "centre": logs.mean(0), "scale": logs.std(0) + 1e-6}
    with one_thread():
        _, vectors = np.linalg.eigh(np.cov(_standard(statistics, basis).astype(np.float64), rowvar=False))
    directions = vectors[:, ::-1][:, :DIMENSIONS]
    return lambda given: (_standard(given, basis) @ directions).astype(np.float32)


def _standard(statistics: np.ndarray, basis: dict[str, np.ndarray]) -> np.ndarray:
    """Logarithm, standardised, cut off softly at four deviations."""
    z = (np.log(statistics + basis["offset"]) - basis["centre"]) / basis["scale"]
    return 4 * np.tanh(z / 4)


def _fit_patches(images: np.ndarray) -> dict[str, np.ndarray]:
    """Directions, and mean and deviation of each level and colour over training images.

    The original standardises each set by its own mean and deviation and so cannot see brightness; here both sets are
    standardised as the training images are.
    """
    rng = np.random.default_rng(_PATCH_SEED)
    directions = rng.standard_normal((_LEVELS, 3 * _PATCH**2, _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    levels = _pyramid(images)
    return {
        "laplacian/directions": directions.astype(np.float32),
        "laplacian/mean": np.stack([level.mean((0, 2, 3)).numpy() for level in levels]),
        "laplacian/deviation": np.stack([level.std((0, 2, 3)).numpy() + 1e-6 for level in levels]),
    }


def _pyramid(images: np.ndarray) -> list[torch.Tensor]:
    """Laplacian levels of uint8 images, finest first, the last one the small image itself; float32 (N, 3, s, s)."""
    import torch.nn.functional as F

    from hqgan.io.images import to_float

    x, levels = to_float(images), []
    for _ in range(_LEVELS - 1):
        small = F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
        levels.append(x - F.interpolate(small, scale_factor=2, mode="bilinear"))
        x = small
    return [*levels, x]


def _look_at_patches(images: np.ndarray, constants: dict[str, np.ndarray], batch: int = 256) -> np.ndarray:
    """(N, 16 * 3 * 64): 16 patches a level, at places fixed once, along 64 directions a level."""
    out = []
    for start in range(0, len(images), batch):
        part = _pyramid(images[start : start + batch])
        values = []
        for k, level in enumerate(part):
            rng = np.random.default_rng([_PATCH_SEED, k])
            tops, lefts = rng.integers(0, level.shape[-1] - _PATCH + 1, (2, _PATCHES))
            mean, deviation = constants["laplacian/mean"][k], constants["laplacian/deviation"][k]
            scaled = (level.numpy() - mean[:, None, None]) / deviation[:, None, None]
            patches = [scaled[:, :, t : t + _PATCH, u : u + _PATCH] for t, u in zip(tops, lefts, strict=True)]
            flat = np.stack(patches, 1).reshape(len(scaled), _PATCHES, -1)
            values.append(flat @ constants["laplacian/directions"][k])
        out.append(np.concatenate(values, 2).reshape(len(values[0]), -1))
    return np.concatenate(out)


def _build(tensors: dict[str, np.ndarray]) -> list[FeatureExtractor]:
    """The views from what the cache holds."""
    import torch

    from hqgan.metrics.extractors import networks

    views: list[FeatureExtractor] = []
    for prefix, names in (("derm", tuple(STAGES)), ("untrained", ("untrained",))):
        network = networks.Eye()
        weights = {k.removeprefix(prefix + "."): v for k, v in tensors.items() if k.startswith(prefix + ".")}
        network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        network.eval()

        def look(images: np.ndarray, network: networks.Eye = network) -> np.ndarray:
            return networks.run(network, images)

        for name in names:
            start = f"{prefix}/{name}/"
            basis = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
            columns = networks.stage_columns(*STAGES.get(name, STAGES["derm"]))

            def finish(
                raw: np.ndarray, basis: dict[str, np.ndarray] = basis, columns: np.ndarray = columns
            ) -> np.ndarray:
                features = _standard(raw[:, columns], basis) @ basis["directions"] - basis["middle"]
                return features.astype(np.float32)

            width = basis["directions"].shape[1]
            views.append(FeatureExtractor(name, _hash({**weights, **basis}), "features", prefix, look, finish, width))
    constants = {k: v for k, v in tensors.items() if k.startswith("laplacian/")}
    views.append(
        FeatureExtractor(
            "laplacian",
            _hash(constants),
            "patches",
            "laplacian",
            lambda images: _look_at_patches(images, constants),
            lambda raw: raw,
            _LEVELS * _DIRECTIONS,
        )
    )
    return views


def _weights(network: torch.nn.Module, prefix: str) -> dict[str, np.ndarray]:
    return {prefix + key: value.detach().numpy().copy() for key, value in network.state_dict().items()}


def _hash(tensors: dict[str, np.ndarray]) -> str:
    """Hex SHA-256 of tensors and the recipe's version."""
    digest = hashlib.sha256(RECIPE.encode())
    for key in sorted(tensors):
        digest.update(key.encode() + tensors[key].tobytes())
    return digest.hexdigest()
