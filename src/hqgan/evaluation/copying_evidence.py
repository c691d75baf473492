"""Evidence for and against copying: nearest images, single images, memorisation metrics, membership inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from hqgan.data.synthetic import demo
from hqgan.io.images import to_float
from hqgan.metrics import copying
from hqgan.metrics.distances import frechet_reason, pairwise
from hqgan.metrics.extractors import networks
from hqgan.metrics.extractors.projection import fit_neutral_projection
from hqgan.metrics.near_duplicates import nearest_copies
from hqgan.metrics.record import MetricRow
from hqgan.metrics.subsampling import equal_numbers
from hqgan.models.build import build_critic
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.load import Loaded
from hqgan.training import checkpoint
from hqgan.types import ImageData, Split

PAIRS = 20
"""How many of the closest pairs are shown."""

_NEUTRAL_SEED, _NEUTRAL_IMAGES = 4669, 280


@dataclass(frozen=True)
class Evidence:
    """Generated images beside the real ones that they may have come from.

    Attributes:
        data: the real images.
        split: which of them the generator was trained on.
        images: (G, S, S, 3) uint8 generated ones.
        labels: (G,) their classes.
        spaces: name to features (N, D) of all real and (G, D) of generated images (`spaces_of`).
        seed: of draws and permutations.
        permutations: of lesions in each test.
    """

    data: ImageData
    split: Split
    images: np.ndarray
    labels: np.ndarray
    spaces: dict[str, tuple[np.ndarray, np.ndarray]]
    seed: int
    permutations: int

    @cached_property
    def held_out(self) -> np.ndarray:
        """(H,) rows of the images that the generator was not trained on: validation and test part."""
        return np.sort(np.concatenate([self.split.validation, self.split.test]))


def spaces_of(data: ImageData, images: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name to (all real images, generated ones) in pixels and in features of a network that has seen neither set."""
    flat = [np.asarray(x, np.float32).reshape(len(x), -1) for x in (data.images, images)]
    real, project = neutral_features(data)
    return {"pixels": (flat[0], flat[1]), "features": (real, project(images))}


def neutral_features(data: ImageData) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Features (N, D) of all real images, of a network that has seen none of them; and the function for other images."""
    kinds = [(kind, lesion) for kind in demo.LESIONS for lesion in range(_NEUTRAL_IMAGES // len(demo.LESIONS))]
    painted = np.stack([demo.paint(kind, _NEUTRAL_SEED, lesion, 0, data.images.shape[1]) for kind, lesion in kinds])
    network = networks.untrained_network(painted, _NEUTRAL_SEED)
    # All real images alike set the scale: it is the same however lesions are permuted.
    seen = networks.run(network, np.asarray(data.images))
    project = fit_neutral_projection(seen)
    return project(seen), lambda images: project(networks.run(network, np.asarray(images)))


def nearest(evidence: Evidence, reporter: Reporter = SILENT) -> list[dict[str, Any]]:
    """The share of generated images nearest to a training image, over all and by class, in each space.

    `reporter` receives how many of these tests are done, as task ``comparing``.
    """
    data, labels, seed = evidence.data, evidence.labels, evidence.seed
    a, b = copying.equal_lesions(data.labels, data.groups, evidence.split.train, evidence.held_out, seed)
    out: list[dict[str, Any]] = []
    total = len(evidence.spaces) * (1 + len(data.classes))
    for name, (real, made) in evidence.spaces.items():
        for c, title in [(None, None), *enumerate(data.classes)]:
            reporter.progress("comparing", len(out), total, "tests")
            mine = slice(None) if c is None else labels == c
            train, held_out = (real[a], data.labels[a]), (real[b], data.labels[b])
            test = copying.nearest_share((made[mine], labels[mine]), train, held_out, seed, evidence.permutations)
            lesions = len(a) if c is None else int((data.labels[a] == c).sum())
            out.append({"space": name, "class": title, "share": test.value, "p_value": test.p_value, "n": test.n,
                        "lesions": lesions})  # fmt: skip
    reporter.progress("comparing", total, total, "tests")
    return out


def single(evidence: Evidence, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Images that are flagged, with why; and the closest pairs."""
    data, labels = evidence.data, evidence.labels
    found = closest(data, evidence.split.train, evidence.images, evidence.spaces)
    flagged = [
        {**row, "why": near.why, "ratio": round(near.ratio, 4), "training_file": str(data.files[near.row])}
        for row, near in zip(rows, found, strict=True)
        if near.why
    ]
    lowest = [0.0 if near.copy else near.ratio for near in found]  # a mirrored copy lies anywhere
    pairs = []
    for i in np.argsort(lowest, kind="stable")[:PAIRS].tolist():
        near = found[i]
        pairs.append({"file": rows[i]["file"], "row": i, "training_row": near.row, "training_file": str(data.files[near.row]),
                      "class": data.classes[labels[i]], "ratio": lowest[i], "space": near.space})  # fmt: skip
    return flagged, pairs


@dataclass(frozen=True)
class Closest:
    """The nearest training image of a generated image.

    Attributes:
        row: of the data.
        ratio: its distance over that of the nearest of another lesion, in `space`, where that is lowest.
        space: of `Evidence`.
        copy: whether the two show one picture, rotated or mirrored or not.
    """

    row: int
    ratio: float
    space: str
    copy: bool

    @property
    def why(self) -> str:
        """Why the image is flagged; empty where it is not."""
        return "copy" if self.copy else f"near in {self.space}" if self.ratio < copying.COPIED else ""


def closest(
    data: ImageData, train: np.ndarray, images: np.ndarray, spaces: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> list[Closest]:
    """Each generated image's nearest training image.

    Args:
        data: the real images.
        train: rows of the training part.
        images: (G, S, S, 3) uint8 generated ones.
        spaces: as in `Evidence`.
    """
    copies = dict(nearest_copies(images, np.asarray(data.images[train])).tolist())
    by_space = {name: copying.closeness(made, real[train], data.groups[train]) for name, (real, made) in spaces.items()}
    found = []
    for i in range(len(images)):
        space = min(by_space, key=lambda name: by_space[name][1][i])
        nearest, ratios = by_space[space]
        row = int(train[copies.get(i, int(nearest[i]))])
        found.append(Closest(row, float(ratios[i]), space, i in copies))
    return found


def memory(evidence: Evidence) -> list[MetricRow]:
    """Authenticity and MiFID of generated images; the real reference is that of held-out real images."""
    real, made = evidence.spaces["features"]
    train = real[evidence.split.train]
    # As many of each class on both sides, so that value and real reference are of equal numbers.
    rng = np.random.default_rng(0)
    a, places = equal_numbers(evidence.labels, evidence.data.labels[evidence.held_out], rng)
    b = evidence.held_out[places]
    values = copying.authenticity(made[a], train), copying.authenticity(real[b], train)
    out = [MetricRow("authenticity", "neutral", value=values[0], real_reference=values[1], n=len(a))]
    half = rng.permutation(b)
    one, two = half[: len(b) // 2], half[len(b) // 2 :]
    if reason := frechet_reason(len(one), real.shape[1]):
        return [*out, MetricRow("mifid", "neutral", n=len(one), reason=reason)]
    value = copying.mifid(made[rng.permutation(a)[: len(one)]], real[two], train)[0]
    reference = copying.mifid(real[one], real[two], train)[0]
    return [*out, MetricRow("mifid", "neutral", value=value, real_reference=reference, n=len(one))]


def attacks(evidence: Evidence, loaded: Loaded | None, reporter: Reporter = SILENT) -> list[dict[str, Any]]:
    """Membership inference on generator and critic, each with members against members; `reporter` as in `nearest`."""
    data, labels = evidence.data, evidence.labels
    rows = np.concatenate([evidence.split.train, evidence.held_out])
    members = np.isin(rows, evidence.split.train)
    own, lesions = data.labels[rows], data.groups[rows]
    real, made = evidence.spaces["features"]
    near = np.zeros(len(rows))
    for c in np.unique(labels):
        mine = own == c
        if mine.any():
            near[mine] = -pairwise(real[rows[mine]], made[labels == c]).min(1)
    # A class that was not generated has no score: it would only add ties.
    scores = {"generator, black box": (near, np.isin(own, labels))}
    if loaded and loaded.config.critic.kind != "none":
        scores["critic"] = (_critic_scores(loaded, data, rows), np.ones(len(rows), bool))
    out: list[dict[str, Any]] = []
    for name, (score, known) in scores.items():
        reporter.progress("attacking", len(out), len(scores), "attacks")
        half = copying.halves(known & members, own, lesions, evidence.seed)
        test, control = (
            copying.membership(score[at], who[at], own[at], lesions[at], evidence.seed, evidence.permutations)
            for at, who in ((known, members), (known & members, half))
        )
        out.append({"attack": name, "auroc": test.value, "p_value": test.p_value, "n": test.n,
                    "control_auroc": control.value, "control_p_value": control.p_value})  # fmt: skip
    reporter.progress("attacking", len(out), len(scores), "attacks")
    return out


@torch.no_grad()
def _critic_scores(loaded: Loaded, data: ImageData, rows: np.ndarray, batch: int = 128) -> np.ndarray:
    tensors, _ = checkpoint.read(loaded.path, "critic/")
    critic = build_critic(loaded.config, len(data.classes), loaded.generator)
    assert critic is not None
    critic.load_state_dict(tensors)
    critic.eval()
    scores = []
    for part in np.split(rows, range(batch, len(rows), batch)):
        labels = torch.from_numpy(data.labels[part])
        images = loaded.generator.real_to_critic(to_float(np.asarray(data.images[part])), labels)
        scores.append(critic(images, labels).reshape(-1))
    return torch.cat(scores).double().numpy()
