"""The latent geometry of a run: the Jacobian's spectrum, whole and through each branch, and paths between latents.

With an image ``G(c(z), q(z))`` of what the classical and the quantum branch give, its derivative is the sum of one through
each. The size and rank of the quantum one show how much of the image's variety passes through the circuits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from hqgan import wording
from hqgan.models.hybrid import HybridGenerator
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.images import latent_seed, noise_of
from hqgan.sampling.load import Loaded

MOST_DIMENSIONS = 1024
"""Most dimensions of a latent whose Jacobian is computed: each costs two images."""
LATENTS, PATHS = 8, 16
"""Latents at which the Jacobian is computed, or one for each class where there are more classes; and paths."""

Map = Callable[[torch.Tensor], torch.Tensor]
"""From latents (B, Z) to what depends on them, (B, ...)."""

STEP = 1e-6
"""Step of the central differences, in deviations of the latent: short, since a ReLU's kink inside a step falsifies it, which
float64 allows."""

POINTS = 17
"""Points on a path between two latents."""

Result = dict[str, Any]


@torch.no_grad()
def geometry(loaded: Loaded, seed: int = 0, reporter: Reporter = SILENT) -> Result | None:
    """Measure a run's latent.

    Args:
        loaded: the run.
        seed: of the latents.
        reporter: receives messages.

    Returns:
        ``jacobian``: rows for ``image`` and, of a hybrid, for its derivative through each branch: the mean
        ``effective_rank`` over latents with ``low`` and ``high`` (95 %, of the mean), the ``norm`` (Frobenius), its
        ``share`` of both branches' squared norms, and the mean ``spectrum``. ``interpolation``: ``evenness`` and
        ``detour`` of `smoothness`. None where the latent has more than `MOST_DIMENSIONS`.
    """
    if loaded.generator.noise_size > MOST_DIMENSIONS:
        reporter.message(f"no latent geometry: the latent has {loaded.generator.noise_size:,} dimensions")
        return None
    reporter.message("measuring the latent geometry")
    generator = copy.deepcopy(loaded.generator).double()
    device = next(generator.parameters()).device
    classes = len(loaded.classes)
    labels = [i % classes for i in range(max(LATENTS, classes))]
    seeds = [latent_seed(seed, f"geometry {loaded.classes[c]}", i) for i, c in enumerate(labels)]
    noise = noise_of(seeds, generator.noise_size).double().to(device)
    found: dict[str, list[np.ndarray]] = {}
    for z, c in zip(noise, labels, strict=True):
        for name, f in _maps(generator, z, c).items():
            found.setdefault(name, []).append(spectrum(jacobian(f, z)))
    rows = [_row(name, np.stack(spectra)) for name, spectra in found.items()]
    squares = {row["of"]: row["norm"] ** 2 for row in rows if row["of"] != "image"}
    for row in rows:
        row["share"] = squares[row["of"]] / max(sum(squares.values()), 1e-300) if row["of"] in squares else None
    return {"jacobian": rows, "interpolation": _paths(generator, loaded, seed, device)}


def _maps(generator: Any, z: torch.Tensor, c: int) -> dict[str, Map]:
    """Functions of the latent: the image, and the image with one branch fixed at its value for `z`."""

    def labels(n: int) -> torch.Tensor:
        return torch.full((n,), c, device=z.device)

    maps: dict[str, Map] = {"image": lambda zs: generator(zs, labels(len(zs)))}
    if isinstance(generator, HybridGenerator):
        fixed = generator.branches(z[None], labels(1))

        def through(branch: int, zs: torch.Tensor) -> torch.Tensor:
            parts = [values.expand(len(zs), -1, -1, -1) for values in fixed]
            parts[branch] = generator.branches(zs, labels(len(zs)))[branch]
            return generator.fuse(parts[0], parts[1], z.expand(len(zs), -1), labels(len(zs)))

        for branch, name in enumerate(("classical", "quantum")):
            maps[f"through the {name} branch"] = partial(through, branch)
    return maps


def _row(name: str, spectra: np.ndarray) -> Result:
    ranks = np.array([effective_rank(values) for values in spectra])
    error = 1.96 * ranks.std(ddof=1) / np.sqrt(len(ranks))
    return {
        "of": name,
        "effective_rank": float(ranks.mean()),
        "low": float(ranks.mean() - error),
        "high": float(ranks.mean() + error),
        "dimensions": spectra.shape[1],
        "norm": float(np.sqrt(np.square(spectra).sum(1).mean())),
        "n": len(ranks),
        "spectrum": spectra.mean(0).tolist(),
    }


def _paths(generator: Any, loaded: Loaded, seed: int, device: torch.device) -> Result:
    values = []
    for i in range(PATHS):
        c = i % len(loaded.classes)
        ends = [latent_seed(seed, f"path {loaded.classes[c]}", 2 * i + end) for end in (0, 1)]
        points = path(*noise_of(ends, generator.noise_size).double().to(device))
        images = generator(points, torch.full((len(points),), c, device=device))
        values.append(smoothness(images.cpu().numpy()))
    evenness, detour = np.array(values).T
    return {"evenness": float(evenness.mean()), "detour": float(detour.mean()), "n": PATHS}


@torch.no_grad()
def jacobian(f: Map, z: torch.Tensor, step: float = STEP) -> torch.Tensor:
    """Derivative (Z, P) of a map at one latent (Z,), in its precision: float64, for the difference of near numbers.

    Central differences, since the circuits' adjoint method has no forward mode.
    """
    steps = step * torch.eye(len(z), dtype=z.dtype, device=z.device)
    ahead, behind = f(z + steps), f(z - steps)
    return (ahead - behind).flatten(1) / (2 * step)


def spectrum(matrix: torch.Tensor) -> np.ndarray:
    """Singular values (Z,) of a Jacobian (Z, P), largest first."""
    values = torch.linalg.eigvalsh(matrix @ matrix.T).clamp_min(0).sqrt()
    return values.flip(0).cpu().numpy()


def effective_rank(singular_values: np.ndarray) -> float:
    """Exp of the entropy of normalised singular values: Z where all are alike, 1 where one does everything, 0 for a map to
    zero.

    References:
        Roy & Vetterli, "The effective rank: a measure of effective dimensionality", 2007.
    """
    total = singular_values.sum()
    if total <= 0:
        return 0.0
    p = singular_values / total
    return float(np.exp(-(p * np.log(np.maximum(p, 1e-300))).sum()))


def path(a: torch.Tensor, b: torch.Tensor, points: int = POINTS) -> torch.Tensor:
    """(points, Z) on the great circle from latent `a` (Z,) to `b`, lengths interpolated linearly: normal latents stay normal."""
    t = torch.linspace(0, 1, points, dtype=a.dtype, device=a.device)[:, None]
    angle = torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1 + 1e-7, 1 - 1e-7))
    one, two = a / a.norm(), b / b.norm()
    direction = (torch.sin((1 - t) * angle) * one + torch.sin(t * angle) * two) / torch.sin(angle)
    return direction * ((1 - t) * a.norm() + t * b.norm())


def smoothness(images: np.ndarray) -> tuple[float, float]:
    """How evenly images (T, ...) change along a path, and how straight.

    Returns:
        The mean step over the largest (1: even; near 0: all at once), and the path's length over the distance of its ends
        (1: straight), steps being root mean square differences of pixels.
    """
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    steps = np.sqrt(np.square(np.diff(flat, axis=0)).mean(1))
    ends = float(np.sqrt(np.square(flat[-1] - flat[0]).mean()))
    return float(steps.mean() / max(steps.max(), 1e-12)), float(steps.sum() / max(ends, 1e-12))


def table(found: Result) -> list[Any]:
    """A rich table, and a sentence on the paths."""
    out = wording.table(
        *("derivative", "effective rank", "95 %", "of", "norm", "share"),
        title="Latent geometry: Jacobian of the image by the latent",
        caption="share: of both branches' squared norms",
    )
    for row in found["jacobian"]:
        forms = ("{of}", "{effective_rank:.1f}", "[{low:.1f}, {high:.1f}]", "{dimensions}", "{norm:.3g}", "{share:.1%}")
        out.add_row(*(wording.cell(form, **row) for form in forms))
    paths = found["interpolation"]
    return [
        out,
        f"Between two latents of a class the image's mean step is {paths['evenness']:.0%} of its largest (100 %: even), "
        f"and its path {paths['detour']:.2f} times as long as the distance of its ends.",
    ]
